// What another site, or whoever sits before a browser later, cannot make it do: every form and page, found by walking the portal.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, UNLINKED_PAGES, UNLINKED_QUERIES, addressOf, rowOf } from '../addresses.mjs';
import { everything, furnish } from '../furniture.mjs';
import { csrfOf, portalForThisSuite, signIn } from '../portal.mjs';
import { resendMany } from '../steps.mjs';
import { walk } from '../walk.mjs';

describe('every form that the portal has', () => {
  const portal = portalForThisSuite();
  let ids, storageState, forms;

  before(async () => {
    ids = await furnish(portal);
    await portal.person('viewer');
    const page = await portal.signedIn();
    await resendMany(page, `${portal.base}/deliveries?status=delivered&eventKey=${ids.key}`);
    storageState = await page.context().storageState();
    const places = await walk(page, beginnings());
    const found = new Map(places.flatMap((place) => place.forms).map((form) => [rowOf(form.action), form]));
    forms = [...found.values()];
  });

  // Where links do not lead, or not within the first few of a list.
  const beginnings = () => [
    '/environments',
    ...Object.keys(UNLINKED_PAGES).map((row) => addressOf(row, ids) + UNLINKED_QUERIES[row]),
    `${portal.base}/catalogue/${ids.key}`,
  ];

  const owner = async () => {
    const page = await portal.stranger({ storageState });
    await page.goto('/audit');
    return page;
  };

  /** What would be different if something had been done: it would be in the log, too. */
  async function state(page) {
    const log = await (await page.request.get('/audit')).text();
    const [lines] = /<tbody[\s\S]*<\/tbody>/.exec(log);
    return { lines: lines.split('<tr').length, everything: await everything(portal.server, ids.environment) };
  }

  const body = ({ fields }, csrf) => new URLSearchParams([...fields, ...(csrf === undefined ? [] : [['csrf', csrf]])]).toString();

  const send = (page, form, csrf, headers = {}) =>
    page.request.post(form.action, {
      data: body(form, csrf),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      maxRedirects: 0,
    });

  it('is found by walking, and in the table of changes', () => {
    const rows = forms.map(({ action }) => rowOf(action));
    assert.deepEqual(
      rows.filter((row) => !CHANGES[row]),
      [],
    );
    // A job that is over cannot be cancelled; its form is there while it runs.
    const rare = ['/environments/{environment}/jobs/{job}/cancel'];
    assert.deepEqual(
      Object.keys(CHANGES).filter((row) => !rows.includes(row) && !rare.includes(row)),
      [],
    );
  });

  it('is refused without a proof, with that of a session that has ended, and with that of another person', async () => {
    const ended = await portal.signedIn();
    const old = await csrfOf(ended);
    await ended.getByRole('button', { name: 'Sign out' }).first().click();
    await ended.waitForURL('**/signin');
    const other = await csrfOf(await portal.signedIn({ as: await portal.person('admin') }));
    const page = await owner();
    const before = await state(page);
    for (const form of forms) {
      for (const [what, csrf] of Object.entries({ none: undefined, empty: '', ended: old, other })) {
        const answer = await send(page, form, csrf);
        assert.equal(answer.status(), 403, `${form.action} with the proof: ${what}`);
        assert.match(await answer.text(), /nothing was done/, form.action);
      }
    }
    assert.deepEqual(await state(page), before);
  });

  it('is refused from another port and from another site in a real browser, cookies, proof and all', async () => {
    const page = await owner();
    const csrf = await csrfOf(page);
    const before = await state(page);
    portal.receiver.answer('/lure', () => ({ headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>Win</title>' }));
    // Not a page of the portal, so it is not watched.
    const lured = await portal.browser.newContext({ storageState });
    try {
      const lure = await lured.newPage();
      const lurePort = portal.receiver.url('/lure');
      for (const lureUrl of [lurePort, lurePort.replace('127.0.0.1', 'localhost')]) {
        await lure.goto(lureUrl);
        const answers = new Map();
        const collect = (response) => answers.set(new URL(response.url()).pathname, response.status());
        lure.on('response', collect);
        const sent = forms.map((form) => [portal.server.url + form.action, body(form, csrf)]);
        await lure.evaluate(async (sent) => {
          const type = { 'content-type': 'application/x-www-form-urlencoded' };
          const post = ([url, body]) => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: type, body });
          for (const one of sent) await post(one).catch(() => {});
        }, sent);
        lure.off('response', collect);
        for (const { action } of forms) assert.equal(answers.get(action), 403, `${action} from ${lureUrl}`);
      }
    } finally {
      await lured.close();
    }
    assert.deepEqual(await state(page), before);
  });

  it('is taken by no GET: reading every page, and every form as an address, changes nothing', async () => {
    const page = await owner();
    const csrf = await csrfOf(page);
    const before = await state(page);
    const places = await walk(page, beginnings());
    for (const { address, answer, passwords } of places) {
      assert.equal(answer.status(), 200, address);
      // Nothing is handed out that a browser could take for something else, or keep.
      assert.match(answer.headers()['content-type'], /^text\/html; charset=utf-8$/, address);
      assert.equal(answer.headers()['cache-control'], 'no-store', address);
      // A browser that is not told puts the person's own password into the field of a secret.
      for (const field of passwords) assert.match(field, /: (current-password|new-password|off)$/, address);
    }
    for (const form of forms) await page.request.get(`${form.action}?${body(form, csrf)}`, { maxRedirects: 0 });
    assert.deepEqual(await state(page), before);
  });

  it('cannot be laid under a page of another site: no page is framed', async () => {
    const page = await owner();
    const places = await walk(page, beginnings());
    const rows = new Map([...places, { row: '/signin', address: '/signin' }].map(({ row, address }) => [row, address]));
    const frames = [...rows.values()].map((address) => `<iframe src="${portal.server.url}${address}"></iframe>`);
    portal.receiver.answer('/frames', () => ({ headers: { 'content-type': 'text/html' }, body: `<!doctype html>${frames.join('')}` }));
    const lured = await portal.browser.newContext({ storageState });
    try {
      const lure = await lured.newPage();
      await lure.goto(portal.receiver.url('/frames'));
      const framed = lure.frames().filter((frame) => frame !== lure.mainFrame());
      assert.equal(framed.length, rows.size);
      for (const frame of framed)
        assert.match(frame.url(), /^chrome-error:/, 'what a browser shows instead of a page that may not be framed');
    } finally {
      await lured.close();
    }
  });
});

describe('signing in', () => {
  const portal = portalForThisSuite();

  const sessionOf = async (page) => (await page.context().cookies()).find(({ name }) => name === 'tidings_session')?.value;
  const withSession = (value) => ({ storageState: { cookies: [cookie(value)], origins: [] } });
  const cookie = (value) => ({
    name: 'tidings_session',
    value,
    domain: '127.0.0.1',
    path: '/',
    expires: -1,
    httpOnly: false,
    secure: false,
    sameSite: 'Lax',
  });

  async function entered(page) {
    await page.goto('/environments');
    return new URL(page.url()).pathname === '/environments';
  }

  it('never takes a session that somebody else put into the browser', async () => {
    const madeUp = 'A'.repeat(43);
    const attacker = await portal.person('viewer');
    const theirs = await sessionOf(await portal.signedIn({ as: attacker }));
    for (const planted of [madeUp, theirs]) {
      const page = await portal.stranger(withSession(planted));
      await signIn(page, portal.server.owner);
      const session = await sessionOf(page);
      assert.ok(session !== planted && session.length >= 43);
      await page.goto('/account');
      assert.match(await page.locator('.rail-person').innerText(), new RegExp(portal.server.owner.email));
      const copy = await portal.stranger(withSession(planted));
      assert.equal(await entered(copy), false, 'what was planted leads nowhere now');
    }
  });

  it('in a browser that was signed in ends the session before it', async () => {
    const page = await portal.signedIn();
    const before = await sessionOf(page);
    await signIn(page, await portal.person('viewer'));
    assert.equal(await entered(await portal.stranger(withSession(before))), false);
    assert.ok(await entered(page));
  });

  it('by the form of another site gives no session', async () => {
    const { email, password } = await portal.person('viewer');
    const fields = `<input name="email" value="${email}"><input name="password" value="${password}">`;
    const form = `<form method="post" action="${portal.server.url}/signin">${fields}<button>Win</button></form>`;
    portal.receiver.answer('/signin-lure', () => ({ headers: { 'content-type': 'text/html' }, body: `<!doctype html>${form}` }));
    for (const from of ['127.0.0.1', 'localhost']) {
      const lured = await portal.browser.newContext();
      try {
        const lure = await lured.newPage();
        await lure.goto(portal.receiver.url('/signin-lure').replace('127.0.0.1', from));
        const answer = lure.waitForResponse((response) => response.url().endsWith('/signin'));
        await lure.getByRole('button', { name: 'Win' }).click();
        assert.equal((await answer).status(), 403, from);
        assert.deepEqual(await lured.cookies(), [], from);
      } finally {
        await lured.close();
      }
    }
  });

  it('goes on at this site, however another one is written, as the browser reads it', async () => {
    const { email, password } = portal.server.owner;
    const elsewhere = [
      ...[
        'https://localhost/',
        '//localhost/',
        '/\\localhost/',
        '/\t/localhost/',
        '/\n/localhost/',
        '/.//localhost/',
        '\u0001//localhost/',
      ],
      ...['http:localhost/', 'http:\\\\localhost/', 'javascript:1', 'data:text/html,1'],
      ...['%2F%2Flocalhost/', '/%2Flocalhost/', '/%5Clocalhost/', '/%09/localhost/'],
    ];
    const page = await portal.stranger();
    await page.goto('/signin');
    for (const back of elsewhere) {
      const answer = await page.request.post('/signin', { form: { email, password, back }, maxRedirects: 0 });
      const { location } = answer.headers();
      const goal = await page.evaluate((location) => new URL(location, document.baseURI).origin, location);
      assert.equal(goal, portal.server.url, `back=${back} leads to ${location}`);
    }
  });
});

describe('the end of a session', () => {
  const portal = portalForThisSuite();

  it('comes with a new password, also for a copy of the cookie that changed it', async () => {
    const person = await portal.person('admin');
    const page = await portal.signedIn({ as: person });
    const copy = await portal.stranger({ storageState: await page.context().storageState() });
    const other = await portal.signedIn({ as: person });
    await page.goto('/account');
    await page.getByLabel('Your password now').fill(person.password);
    for (const id of ['#new', '#again']) await page.locator(id).fill('a quite new password');
    await page.locator('form[action="/account/password"] button').click();
    await page.getByRole('status').filter({ hasText: 'Your password is changed' }).waitFor();
    for (const ended of [copy, other]) {
      await ended.goto('/environments');
      assert.equal(new URL(ended.url()).pathname, '/signin');
    }
    await page.goto('/environments');
    assert.equal(new URL(page.url()).pathname, '/environments');
  });

  it('leaves nothing behind that the back button would show', async () => {
    const page = await portal.signedIn();
    await page.goto('/people');
    await page.goto('/account');
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.waitForURL('**/signin');
    for (let step = 1; step <= 3; step++) {
      await page.goBack();
      await page.getByLabel('Password').waitFor();
      assert.equal(await page.getByText(portal.server.owner.email).count(), 0);
    }
  });

  it('in another tab is said to whoever sends a form, who signs in there and goes back to what they typed', async () => {
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/catalogue/new`);
    const typed = 'A description that took a while.';
    await page.getByLabel('What it means').fill(typed);
    await page.getByLabel('Key', { exact: true }).fill('made.after.a.while');
    await page.getByLabel('Category').fill('Made');
    await page.getByLabel('Example payload').fill('{}');
    const tab = await page.context().newPage();
    await tab.goto('/environments');
    await tab.getByRole('button', { name: 'Sign out' }).first().click();
    await tab.waitForURL('**/signin');
    await page.locator('form[action$="/catalogue"] button.primary').click();
    await page.getByText('Your session has ended, and nothing was done').waitFor();
    const signingIn = page.waitForEvent('popup');
    await page.getByRole('link', { name: 'Sign in in another tab' }).click();
    const fresh = await signingIn;
    await fresh.waitForURL('**/signin');
    await signIn(fresh, portal.server.owner);
    await page.goBack();
    assert.equal(await page.getByLabel('What it means').inputValue(), typed);
    assert.equal(await page.getByLabel('Key', { exact: true }).inputValue(), 'made.after.a.while');
    await page.locator('form[action$="/catalogue"] button.primary').click();
    await page.waitForURL('**/catalogue/made.after.a.while');
  });
});

describe('a script', () => {
  const portal = portalForThisSuite();

  it('does not run that stands in a page, even if somebody got it there', async () => {
    const page = await portal.stranger();
    const ways = [
      () => document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="globalThis.ran = true">'),
      () => {
        const script = document.createElement('script');
        script.textContent = 'globalThis.ran = true';
        document.body.append(script);
      },
      () => {
        const script = document.createElement('script');
        script.src = 'data:text/javascript,globalThis.ran = true';
        document.body.append(script);
      },
      () =>
        document.body.insertAdjacentHTML('beforeend', '<a href="javascript:globalThis.ran = true" id="lure">x</a>') ??
        document.getElementById('lure').click(),
      () => document.body.insertAdjacentHTML('beforeend', '<div style="position: fixed">x</div>'),
      () => document.body.insertAdjacentHTML('beforeend', '<iframe src="data:text/html,x"></iframe>'),
    ];
    // These pages break the rules on purpose, so they are not watched.
    const { complaints } = portal.opened.at(-1);
    for (const way of ways) {
      await page.goto('/signin');
      const violated = page.evaluate(
        () =>
          new Promise((done) =>
            document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), { once: true }),
          ),
      );
      await page.evaluate(way);
      assert.match(await violated, /^(script|style|frame)-src/, `${way}`);
      assert.equal(await page.evaluate(() => globalThis.ran), undefined, `${way}`);
    }
    complaints.length = 0;
  });
});
