// What holds for every page, whatever it shows.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, OPEN_PAGES, PAGES, UNLINKED_PAGES, UNLINKED_QUERIES, addressOf, rowOf } from '../addresses.mjs';
import { THEMES, WIDTHS, assertAccessible, assertFits, assertNothingOverlaps, keepScreenshot, transferred } from '../browser.mjs';
import { furnish } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { resendMany } from '../steps.mjs';

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

  /** Loads a page for the first time, and looks at it in both themes and at all widths. */
  async function look(page, address, name) {
    let answer;
    const bytes = await transferred(page, async () => (answer = await page.goto(address)));
    assert.equal(answer.status(), 200, address);
    assert.equal(rowOf(page.url()), rowOf(address), 'the address leads to itself');
    assert.ok(bytes > 0 && bytes <= FIRST_LOAD_BYTES_MAX, `the first load of ${address} brings ${bytes} bytes`);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await assertFits(page);
      await assertNothingOverlaps(page);
      for (const colorScheme of THEMES) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await keepScreenshot(page, name, width, colorScheme);
        await assertAccessible(page);
      }
    }
    assert.equal(await page.locator('h1').count(), 1, `${address} has one heading of the first rank`);
    assert.match(await page.title(), / · Tidings$/);
  }

  async function collectAddresses(page) {
    const found = await page.evaluate(() => ({
      links: [...document.querySelectorAll('a[href]')].map(({ href }) => href),
      forms: [...document.querySelectorAll('form[method="post"], button[formaction]')].map((element) => element.formAction || element.action),
    }));
    const here = rowOf(page.url());
    const ours = found.links.filter((href) => new URL(href).origin === portal.server.url).map(rowOf);
    for (const row of ours) if (row !== here) linked.add(row);
    for (const action of found.forms) changes.add(rowOf(action));
  }

  for (const [row, name] of Object.entries({ ...PAGES, ...UNLINKED_PAGES })) {
    it(`is quick, quiet, accessible and fits a phone: ${row}`, async () => {
      const page = await portal.stranger({ storageState });
      await look(page, addressOf(row, ids) + (UNLINKED_QUERIES[row] ?? ''), name);
      await collectAddresses(page);
    });
  }

  for (const [row, name] of Object.entries(OPEN_PAGES)) {
    it(`is quick, quiet, accessible and fits a phone, for strangers: ${row}`, async () => {
      await look(await portal.stranger(), row, name);
    });
  }

  it('is in the table of pages, and linked from another one', () => {
    const known = { ...PAGES, ...UNLINKED_PAGES };
    assert.deepEqual([...linked].filter((row) => row !== '/' && !known[row]), [], 'links lead to pages that are not in the table');
    assert.deepEqual(Object.keys(PAGES).filter((row) => !linked.has(row)), [], 'no link leads to these pages');
  });

  it('sends its forms to addresses that are in the table of changes', () => {
    assert.deepEqual([...changes].filter((row) => !CHANGES[row]), []);
  });
});
