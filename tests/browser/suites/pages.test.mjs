// What holds for every page, whatever it shows.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, OPEN_PAGES, PAGES, UNLINKED_PAGES, UNLINKED_QUERIES, addressOf, rowOf } from '../addresses.mjs';
import { look, transferred } from '../browser.mjs';
import { furnish } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { resendMany, sendTest } from '../steps.mjs';

/** Most bytes that a first load may bring over the wire: page, styles, scripts and pictures. */
const FIRST_LOAD_BYTES_MAX = 100 * 1024;

describe('every page', () => {
  const portal = portalForThisSuite();
  const linked = new Set();
  const changes = new Set();
  let ids, storageState;

  before(async () => {
    ids = await furnish(portal);
    await portal.person('viewer');
    const page = await portal.signedIn();
    ids.job = await resendMany(page, `${portal.base}/deliveries?status=delivered&eventKey=${ids.key}`);
    storageState = await page.context().storageState();
  });

  /** Loads a page for the first time, which brings no more than a first load may. */
  async function load(page, address) {
    let answer;
    const bytes = await transferred(page, async () => (answer = await page.goto(address)));
    assert.equal(answer.status(), 200, address);
    assert.equal(rowOf(page.url()), rowOf(address), 'the address leads to itself');
    assert.ok(bytes > 0 && bytes <= FIRST_LOAD_BYTES_MAX, `the first load of ${address} brings ${bytes} bytes`);
  }

  async function collectAddresses(page) {
    const found = await page.evaluate(() => ({
      links: [...document.querySelectorAll('a[href]')].map(({ href }) => href),
      forms: [...document.querySelectorAll('form[method="post"], button[formaction]')].map(
        (element) => element.formAction || element.action,
      ),
    }));
    const here = rowOf(page.url());
    const ours = found.links.filter((href) => new URL(href).origin === portal.server.url).map(rowOf);
    for (const row of ours) if (row !== here) linked.add(row);
    for (const action of found.forms) changes.add(rowOf(action));
  }

  for (const [row, name] of Object.entries({ ...PAGES, ...UNLINKED_PAGES })) {
    it(`is quick, quiet, accessible and fits a phone: ${row}`, async () => {
      const page = await portal.stranger({ storageState });
      await load(page, addressOf(row, ids) + (UNLINKED_QUERIES[row] ?? ''));
      await collectAddresses(page);
      await look(page, name);
    });
  }

  for (const [row, name] of Object.entries(OPEN_PAGES)) {
    it(`is quick, quiet, accessible and fits a phone, for strangers: ${row}`, async () => {
      const page = await portal.stranger();
      await load(page, row);
      await look(page, name);
    });
  }

  it('is in the table of pages, and linked from another one', () => {
    const known = { ...PAGES, ...UNLINKED_PAGES };
    assert.deepEqual(
      [...linked].filter((row) => row !== '/' && !known[row]),
      [],
      'links lead to pages that are not in the table',
    );
    assert.deepEqual(
      Object.keys(PAGES).filter((row) => !linked.has(row)),
      [],
      'no link leads to these pages',
    );
  });

  it('sends its forms to addresses that are in the table of changes', () => {
    assert.deepEqual(
      [...changes].filter((row) => !CHANGES[row]),
      [],
    );
  });
});

describe('what forms lead to', () => {
  const portal = portalForThisSuite();
  let ids, storageState;

  before(async () => {
    ids = await furnish(portal);
    storageState = await (await portal.signedIn()).context().storageState();
  });

  /** How to get from an address to an answer that has no address of its own, by its picture. */
  const answers = {
    'people-invited': [
      '/people',
      async (page) => {
        await page.getByLabel('Email').fill('new@example.test');
        await page.getByRole('button', { name: 'Invite' }).click();
        await page.getByLabel('Works once').waitFor();
      },
    ],
    'credential-made': [
      '/environments/{environment}/credentials',
      async (page) => {
        await page.getByLabel('Name').fill('Billing service');
        await page.getByRole('button', { name: 'Make credential' }).click();
        await page.getByLabel('Secret', { exact: true }).waitFor();
      },
    ],
    'environment-refused': [
      '/environments',
      async (page) => {
        await page.getByLabel('Name').fill('Development');
        await page.getByRole('button', { name: 'Create' }).click();
        await page.locator('#name-wrong:not(:empty), [role=alert]').first().waitFor();
      },
    ],
    'webhook-refused': [
      '/environments/{environment}/webhooks/new/details?eventKeys=*',
      async (page) => {
        await page.getByLabel('URL', { exact: true }).fill('http://10.0.0.1/internal');
        await page.getByLabel('Secret (recommended)').fill('short');
        await page.getByRole('button', { name: 'Create and test' }).click();
        await page.locator('#secret-wrong:not(:empty)').waitFor();
      },
    ],
    'no-events-chosen': [
      '/environments/{environment}/webhooks/new',
      async (page) => {
        await page.getByRole('button', { name: 'Continue' }).click();
        await page.getByRole('alert').waitFor();
      },
    ],
    'test-passed': ['/environments/{environment}/webhooks/{webhook}/test', (page) => sendTest(page, 'The test passed.')],
    'test-failed': ['/environments/{environment}/webhooks/{failing}/test', (page) => sendTest(page, 'The test failed.')],
    'event-refused': [
      '/environments/{environment}/events/send',
      async (page) => {
        await page.getByLabel('Payload').fill('{\n  "user": nobody\n}');
        await page.getByText(/^Line 2/).waitFor();
        await page.getByRole('button', { name: 'Send event' }).click();
        await page.locator('#payload-wrong:not(:empty)').waitFor();
      },
    ],
    'deliveries-live': ['/environments/{environment}/deliveries?live=1', async () => {}],
    'overview-live': ['/environments/{environment}?live=1&span=week', async () => {}],
    'webhook-disabled': ['/environments/{environment}/webhooks/{off}', async () => {}],
    'webhook-failing': ['/environments/{environment}/webhooks/{failing}', async () => {}],
    'nothing-found': ['/environments/{environment}/deliveries?status=exhausted&tenant=nobody', async () => {}],
    copied: [
      '/environments/{environment}/copy',
      async (page) => {
        await page.getByLabel('Name of the new environment').fill('Production');
        await page.getByRole('button', { name: 'Copy', exact: true }).click();
        await page.getByRole('link', { name: 'Go to Production' }).waitFor();
      },
    ],
  };

  for (const [name, [row, act]] of Object.entries(answers)) {
    it(`is quiet, accessible and fits a phone: ${name}`, async () => {
      const page = await portal.stranger({ storageState });
      await page.goto(addressOf(row, ids));
      await act(page);
      await look(page, name);
    });
  }

  it('is quiet, accessible and fits a phone, for whoever is invited', async () => {
    const page = await portal.stranger();
    await page.goto(await portal.invite('invited@example.test', 'viewer'));
    await look(page, 'invitation');
  });

  it('is quiet, accessible and fits a phone, where nothing is yet', async () => {
    const { id } = await portal.server.native.ok('POST', '/v1/environments', { name: 'Empty' });
    const page = await portal.stranger({ storageState });
    for (const place of ['', '/webhooks', '/deliveries', '/events', '/credentials', '/jobs']) {
      await page.goto(`/environments/${id}${place}`);
      await look(page, `empty${place.replace('/', '-') || '-overview'}`);
    }
  });
});
