// What somebody on another site, at another machine, or in front of a signed-in browser cannot do.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { csrfOf, portalForThisSuite, signIn } from '../portal.mjs';

/** What has to be said with every answer of the portal, page or not. */
const HEADERS = {
  'cache-control': /^no-store$/,
  'content-security-policy': /^default-src 'none'; script-src 'self'; style-src 'self';.* frame-ancestors 'none'$/,
  'referrer-policy': /^same-origin$/,
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^DENY$/,
};

const names = async (portal) => (await portal.server.native.ok('GET', '/v1/environments')).data.map(({ name }) => name);

describe('a form', () => {
  const portal = portalForThisSuite();

  /** Sends the form of a new environment by hand, with the browser's cookies. */
  async function send(page, fields, headers = {}) {
    return page.request.post('/environments', { form: fields, headers, maxRedirects: 0 });
  }

  it('without the proof of its session, or with that of another one, changes nothing', async () => {
    const [page, elsewhere] = [await portal.signedIn(), await portal.signedIn()];
    const before = await names(portal);
    const proof = await csrfOf(page);
    for (const csrf of [undefined, '', 'AAAA', `${proof}A`, proof.slice(0, -1), await csrfOf(elsewhere)]) {
      const answer = await send(page, { name: 'Forged', ...(csrf !== undefined && { csrf }) });
      assert.equal(answer.status(), 403, `csrf=${csrf}`);
      assert.match(await answer.text(), /nothing was done/);
    }
    assert.deepEqual(await names(portal), before);
    assert.equal((await send(page, { name: 'Real', csrf: proof })).status(), 303);
    assert.deepEqual((await names(portal)).sort(), [...before, 'Real'].sort());
  });

  it('that another site made the browser send changes nothing, even with the proof', async () => {
    const page = await portal.signedIn();
    const before = await names(portal);
    const csrf = await csrfOf(page);
    const foreign = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example.test' },
      { origin: 'null' },
    ];
    for (const headers of foreign) {
      const answer = await send(page, { name: 'Forged', csrf }, headers);
      assert.equal(answer.status(), 403, JSON.stringify(headers));
    }
    assert.deepEqual(await names(portal), before);
  });

  it('of a page on another port is refused in a real browser', async () => {
    const page = await portal.signedIn();
    const before = await names(portal);
    const fields = `<input name="name" value="Forged"><input name="csrf" value="${await csrfOf(page)}">`;
    const form = `<form method="post" action="${portal.server.url}/environments">${fields}<button>Win</button></form>`;
    portal.receiver.answer('/lure', () => ({ headers: { 'content-type': 'text/html' }, body: `<!doctype html>${form}` }));
    // Not a page of the portal, so it is not watched.
    const lured = await portal.browser.newContext({ storageState: await page.context().storageState() });
    try {
      const lure = await lured.newPage();
      await lure.goto(portal.receiver.url('/lure'));
      const answer = lure.waitForResponse((response) => response.url().endsWith('/environments'));
      await lure.getByRole('button', { name: 'Win' }).click();
      assert.equal((await answer).status(), 403);
    } finally {
      await lured.close();
    }
    assert.deepEqual(await names(portal), before);
  });

  it('that is no form is refused', async () => {
    const page = await portal.signedIn();
    const body = { data: { name: 'Forged', csrf: await csrfOf(page) }, maxRedirects: 0 };
    assert.equal((await page.request.post('/environments', body)).status(), 415);
  });
});

describe('the session', () => {
  const portal = portalForThisSuite();

  it('is a cookie that scripts cannot read and other sites cannot send', async () => {
    const page = await portal.signedIn();
    const cookies = await page.context().cookies();
    const session = cookies.find(({ name }) => name === 'tidings_session');
    assert.ok(session, `no session among ${cookies.map(({ name }) => name)}`);
    const { httpOnly, sameSite, path, expires, secure, value } = session;
    assert.deepEqual(
      { httpOnly, sameSite, path, expires, secure },
      { httpOnly: true, sameSite: 'Lax', path: '/', expires: -1, secure: false },
    );
    assert.ok(value.length >= 43, 'it has at least 256 bits');
    assert.equal(await page.evaluate(() => document.cookie), '');
  });

  it('is over as soon as somebody signs out, also for a copy of the cookie', async () => {
    const page = await portal.signedIn();
    const copy = await portal.stranger({ storageState: await page.context().storageState() });
    await copy.goto('/environments');
    assert.equal(new URL(copy.url()).pathname, '/environments');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('**/signin');
    await copy.goto('/environments');
    assert.equal(new URL(copy.url()).pathname, '/signin');
    await page.goto('/environments');
    assert.equal(new URL(page.url()).pathname, '/signin');
  });

  it('goes on at the page that somebody wanted', async () => {
    const page = await portal.stranger();
    await page.goto('/environments?from=a+bookmark');
    assert.match(page.url(), /\/signin\?back=/);
    const { email, password } = portal.server.owner;
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/environments?from=a+bookmark');
  });
});

describe('an invitation', () => {
  const portal = portalForThisSuite();

  it('works once', async () => {
    const link = await portal.invite('new@example.test', 'viewer');
    const page = await portal.stranger();
    await page.goto(link);
    assert.equal(await page.getByLabel('Email').inputValue(), 'new@example.test');
    await page.getByLabel('Password').fill('four words in row');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/environments');

    const thief = await portal.stranger();
    assert.ok((await thief.goto(link)).status() >= 400);
    assert.equal(await thief.getByLabel('Password').count(), 0);
    const token = new URL(link).searchParams.get('token');
    const answer = await thief.request.post('/invitation', { form: { token, password: 'a password of theirs' }, maxRedirects: 0 });
    assert.ok(answer.status() >= 400 && answer.status() < 500, `${answer.status()}`);
    assert.equal(answer.headers()['set-cookie'], undefined);
    await signIn(await portal.stranger(), { email: 'new@example.test', password: 'four words in row' });
  });

  it('cannot be made up', async () => {
    const link = new URL(await portal.invite('other@example.test', 'viewer'));
    const token = link.searchParams.get('token');
    const page = await portal.stranger();
    for (const forged of ['', 'x', token.slice(0, -2), `${token}AA`, token.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))]) {
      const answer = await page.goto(`/invitation?token=${encodeURIComponent(forged)}`);
      assert.ok(answer.status() >= 400 && answer.status() < 500, `${answer.status()} for ${forged}`);
    }
    assert.equal((await page.goto(link.href)).status(), 200);
  });
});

describe('behind https', () => {
  const portal = portalForThisSuite({ settings: { TIDINGS_PUBLIC_URL: 'https://tidings.example.test' } });

  it('the cookie is bound to its host and to https', async () => {
    const { email, password } = portal.server.owner;
    const page = await portal.stranger();
    const answer = await page.request.post('/signin', { form: { email, password }, maxRedirects: 0 });
    const cookie = answer.headers()['set-cookie'];
    assert.match(cookie, /^__Host-tidings_session=/);
    for (const attribute of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.match(cookie, new RegExp(`; ${attribute}(;|$)`));
    assert.doesNotMatch(cookie, /Domain=/i);
  });

  it('so is the sentence that the next page says: no neighbour under the same domain puts words on a page', async () => {
    const { email, password } = portal.server.owner;
    const page = await portal.stranger();
    const send = (path, form, cookie) => page.request.post(path, { form, headers: { cookie }, maxRedirects: 0 });
    const [session] = (await send('/signin', { email, password }, '')).headers()['set-cookie'].split(';');
    const neighbours = `tidings_flash=${Buffer.from('Words of a neighbour').toString('base64url')}`;
    const account = await page.request.get('/account', { headers: { cookie: `${session}; ${neighbours}` } });
    const html = await account.text();
    assert.doesNotMatch(html, /Words of a neighbour/);
    const [, csrf] = /name="csrf" value="([^"]+)"/.exec(html);
    const cookie = (await send('/account/end-other-sessions', { csrf }, session)).headers()['set-cookie'];
    assert.match(cookie, /^__Host-tidings_flash=/);
    for (const attribute of ['Secure', 'HttpOnly', 'SameSite=Lax', 'Path=/']) assert.match(cookie, new RegExp(`; ${attribute}(;|$)`));
    const said = await page.request.get('/account', { headers: { cookie: `${session}; ${cookie.split(';')[0]}` } });
    assert.match(await said.text(), /Your other sessions have ended\./);
    assert.match(said.headers()['set-cookie'], /^__Host-tidings_flash=;.*Max-Age=0/, 'it is said once');
  });
});

describe('whoever guesses passwords', () => {
  const portal = portalForThisSuite();

  it('is told the same of a wrong password and of an unknown address', async () => {
    const page = await portal.stranger();
    const words = [];
    for (const email of [portal.server.owner.email, 'nobody@example.test']) {
      await page.goto('/signin');
      await page.getByLabel('Email').fill(email);
      await page.getByLabel('Password').fill('a wrong guess');
      const answer = page.waitForResponse((response) => response.request().method() === 'POST');
      await page.getByRole('button', { name: 'Sign in' }).click();
      assert.equal((await answer).status(), 401);
      words.push(await page.getByRole('alert').innerText());
      assert.equal(await page.getByLabel('Email').inputValue(), email, 'nobody has to type it again');
      assert.equal(await page.getByLabel('Password').inputValue(), '', 'a password is never sent back');
    }
    assert.equal(words[0], words[1]);
  });

  it('has to wait after a few guesses, also when the next one is right', async () => {
    const page = await portal.stranger();
    const { email, password } = portal.server.owner;
    const attempt = async (guess) => (await page.request.post('/signin', { form: { email, password: guess }, maxRedirects: 0 })).status();
    const statuses = [];
    while (statuses.at(-1) !== 429 && statuses.length < 10) statuses.push(await attempt('a wrong guess'));
    assert.equal(statuses.at(-1), 429, `it may guess on and on: ${statuses}`);
    assert.ok(statuses.length > 2, `a slip of the finger is no attack: ${statuses}`);

    await page.goto('/signin');
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password').fill(password);
    const answer = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name: 'Sign in' }).click();
    assert.equal((await answer).status(), 429);
    assert.match(await page.getByRole('alert').innerText(), /\d+ (s|seconds|min|minutes)\b/, 'it says how long');
    await page.goto('/environments');
    assert.match(page.url(), /\/signin/);
  });
});

describe('every answer', () => {
  const portal = portalForThisSuite();

  it('says that nothing from elsewhere may run, and that nobody may frame or keep it', async () => {
    const page = await portal.signedIn();
    const stranger = await portal.stranger();
    const answers = [
      [200, await stranger.request.get('/signin')],
      [200, await page.request.get('/environments')],
      [303, await stranger.request.get('/environments', { maxRedirects: 0 })],
      [401, await stranger.request.post('/signin', { form: { email: 'nobody@example.test', password: 'a wrong guess' } })],
      [403, await page.request.post('/environments', { form: { name: 'Forged' } })],
      [404, await page.request.get('/environments/00000000-0000-4000-8000-000000000000')],
      [422, await page.request.post('/environments', { form: { name: '', csrf: await csrfOf(page) } })],
    ];
    for (const [status, answer] of answers) {
      assert.equal(answer.status(), status, answer.url());
      for (const [name, value] of Object.entries(HEADERS)) assert.match(answer.headers()[name] ?? '', value, `${name} of ${answer.url()}`);
    }
  });

  it('is an asset that browsers keep, because its name changes with it', async () => {
    const page = await portal.signedIn();
    const assets = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    assert.ok(assets.length >= 3, `found only ${assets}`);
    for (const url of assets) {
      const answer = await page.request.get(url);
      assert.match(answer.headers()['cache-control'], /immutable/, url);
      assert.equal(answer.headers()['x-content-type-options'], 'nosniff', url);
    }
  });
});
