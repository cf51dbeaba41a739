// Who may do what: what pages show to whom, and what the server does when somebody goes around the pages.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, PAGES, addressOf, fieldsOf, rowOf } from '../addresses.mjs';
import { everything as everythingOf, furnish } from '../furniture.mjs';
import { csrfOf, portalForThisSuite } from '../portal.mjs';
import { resendMany } from '../steps.mjs';

/** Pages on which a viewer could do nothing: they are told so. */
const NOT_FOR_VIEWERS = [
  '/environments/{environment}/copy',
  '/environments/{environment}/webhooks/new',
  '/environments/{environment}/catalogue/new',
  '/environments/{environment}/credentials',
  '/people',
  '/audit',
  '/nodes',
];

describe('roles', () => {
  const portal = portalForThisSuite();
  let ids, viewer, admin;

  before(async () => {
    ids = await furnish(portal);
    [viewer, admin] = [await portal.person('viewer'), await portal.person('admin')];
    const owners = await portal.signedIn();
    await owners.goto('/people');
    const ownersRow = owners.getByRole('row').filter({ hasText: portal.server.owner.email });
    ids.session = await ownersRow.locator('form[action$="/end-session"] input[name="id"]').first().inputValue();
    ids.job = await resendMany(owners, `${portal.base}/deliveries?status=delivered&eventKey=${ids.key}`);
    ids.person = viewer.email;
    ids.credential = portal.server.clientId;
  });

  const everything = () => everythingOf(portal.server, ids.environment);

  /** Sends a form by hand, with the proof that the person's own pages carry. */
  async function send(page, row, csrf) {
    const fields = new URLSearchParams([['csrf', csrf], ...fieldsOf(row, ids)]);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return page.request.post(addressOf(row, ids), { data: fields.toString(), headers, maxRedirects: 0 });
  }

  it('let a viewer see every page, without a button that would change anything', async () => {
    const page = await portal.signedIn({ as: viewer });
    const [offered, refused] = [[], []];
    for (const row of Object.keys(PAGES)) {
      const answer = await page.goto(addressOf(row, ids));
      if (answer.status() === 403) refused.push(row);
      else assert.equal(answer.status(), 200, row);
      const actions = await page.$$eval('form[method="post"] button:not([type="button"]):enabled', (all) =>
        all.map((button) => new URL(button.getAttribute('formaction') ?? button.form.action, document.baseURI).pathname),
      );
      offered.push(...actions.filter((path) => !CHANGES[rowOf(path)]?.own).map((path) => `${row} offers ${rowOf(path)}`));
    }
    assert.deepEqual(offered, []);
    assert.deepEqual(refused, NOT_FOR_VIEWERS);
  });

  it('let a viewer change nothing by requests made by hand', async () => {
    const page = await portal.signedIn({ as: viewer });
    const csrf = await csrfOf(page);
    const before = await everything();
    for (const [row, { own, refusal = 403 }] of Object.entries(CHANGES)) {
      if (own) continue;
      const answer = await send(page, row, csrf);
      assert.equal(answer.status(), refusal, row);
    }
    assert.deepEqual(await everything(), before);
  });

  it('let nobody end the sessions of others but owners', async () => {
    const page = await portal.signedIn({ as: admin });
    const csrf = await csrfOf(page);
    const sessions = async () => {
      const owners = await portal.signedIn();
      await owners.goto('/people');
      return owners.locator('form[action$="/end-session"] input[name="id"]').evaluateAll((all) => all.map(({ value }) => value));
    };
    assert.ok((await sessions()).includes(ids.session));
    for (const row of ['/people/end-session', '/account/end-session']) assert.equal((await send(page, row, csrf)).status(), 404, row);
    assert.ok((await sessions()).includes(ids.session), 'it goes on');
  });

  it('keep people to owners', async () => {
    const page = await portal.signedIn({ as: admin });
    assert.equal(await page.getByRole('link', { name: 'People' }).count(), 0);
    assert.equal((await page.goto('/people')).status(), 403);
    await page.goto('/environments');
    const csrf = await csrfOf(page);
    for (const row of Object.keys(CHANGES).filter((row) => row.startsWith('/people'))) {
      assert.equal((await send(page, row, csrf)).status(), CHANGES[row].refusal ?? 403, row);
    }
    // An admin may do the rest: the refusals above are about people, not about a form that was wrong.
    const fields = { csrf, name: 'Made by an admin' };
    assert.equal((await page.request.post('/environments', { form: fields, maxRedirects: 0 })).status(), 303);
  });

  it('send strangers to the sign-in, whatever they ask for', async () => {
    const page = await portal.stranger();
    for (const row of Object.keys(PAGES)) {
      const address = addressOf(row, ids);
      const answer = await page.request.get(address, { maxRedirects: 0 });
      assert.equal(answer.status(), 303, row);
      assert.equal(answer.headers().location, `/signin?back=${encodeURIComponent(address)}`);
    }
    const before = await everything();
    for (const row of Object.keys(CHANGES)) {
      const answer = await send(page, row, 'AAAA');
      // Not sent away: what they typed is still there when they go back.
      assert.equal(answer.status(), 401, row);
      assert.match(await answer.text(), /nothing was done/, row);
    }
    assert.deepEqual(await everything(), before);
  });

  it('need the proof of the session for every change, of an owner too', async () => {
    const page = await portal.signedIn();
    const before = await everything();
    for (const row of Object.keys(CHANGES)) assert.equal((await send(page, row, 'AAAA')).status(), 403, row);
    assert.deepEqual(await everything(), before);
  });

  it('hold from the next request on when an owner changes them', async () => {
    const somebody = await portal.person('admin');
    const theirs = await portal.signedIn({ as: somebody });
    const owners = await portal.signedIn();
    await owners.goto('/people');
    await owners.getByLabel(`Role of ${somebody.email}`).selectOption('viewer');
    await owners.getByRole('button', { name: `Change the role of ${somebody.email}` }).click();
    await owners.getByRole('status').waitFor();
    await theirs.goto('/environments');
    assert.equal(await theirs.getByRole('button', { name: 'Create' }).count(), 0);
  });

  it('end with the session: an owner ends one, and it is over at once', async () => {
    const theirs = await portal.signedIn({ as: admin });
    const owners = await portal.signedIn();
    await owners.goto('/people');
    for (;;) {
      const end = owners.getByRole('button', { name: `End the session of ${admin.email}` });
      const left = await end.count();
      if (left === 0) break;
      await end.first().click();
      await owners.getByRole('status').waitFor();
      assert.ok((await end.count()) < left, 'the list is one shorter');
    }
    await theirs.goto('/environments');
    assert.equal(new URL(theirs.url()).pathname, '/signin');
  });

  it('end with the person: whoever is removed is out at once', async () => {
    const somebody = await portal.person('admin');
    const theirs = await portal.signedIn({ as: somebody });
    const owners = await portal.signedIn();
    await owners.goto('/people');
    owners.once('dialog', (dialog) => dialog.accept());
    await owners.getByRole('button', { name: `Remove ${somebody.email}` }).click();
    await owners.getByRole('status').waitFor();
    await theirs.goto('/environments');
    assert.equal(new URL(theirs.url()).pathname, '/signin');
  });
});
