// What addresses are answered that people change by hand, keep for years, or load again.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, PAGES, UNLINKED_PAGES, addressOf, rowOf } from '../addresses.mjs';
import { assertAccessible } from '../browser.mjs';
import { furnish } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { resendMany } from '../steps.mjs';

/** What a list cannot be narrowed to, by the label of what is wrong with it. */
const UNREADABLE = [
  ['/environments/{environment}/deliveries?status=broken', 'Status'],
  ['/environments/{environment}/deliveries?before=dlv_nowhere', 'Page'],
  ['/environments/{environment}/events?from=soon', 'From'],
  ['/environments/{environment}/events?before=evt_nowhere', 'Page'],
  ['/environments/{environment}/webhooks?state=odd', 'Status'],
  ['/environments/{environment}/webhooks?before=wh_nowhere', 'Page'],
  ['/environments/{environment}/webhooks/{webhook}?status=broken', 'Status'],
  ['/environments/{environment}/webhooks/{webhook}?eventKey=two+words', 'Event'],
  ['/environments/{environment}/webhooks/{webhook}?before=dlv_nowhere', 'Page'],
  ['/audit?environment=nowhere', 'Where'],
  ['/audit?before=long+ago', 'Page'],
];

describe('an address', () => {
  const portal = portalForThisSuite();
  let ids;

  before(async () => {
    ids = await furnish(portal);
    const page = await portal.signedIn();
    ids.job = await resendMany(page, `${portal.base}/deliveries?status=delivered&eventKey=${ids.key}`);
  });

  for (const [address, label] of UNREADABLE) {
    it(`that asks for what cannot be read is told so, and shows nothing instead of everything: ${address}`, async () => {
      const page = await portal.signedIn();
      const answer = await page.goto(addressOf(address, ids));
      assert.equal(answer.status(), 422);
      const results = page.locator('#results');
      assert.match(await results.getByRole('alert').innerText(), new RegExp(`^${label}: `));
      await results.getByText('Nothing was looked for.').waitFor();
      assert.equal(await results.getByRole('row').count(), 0);
      await assertAccessible(page);
      await results.getByRole('link', { name: /^Show (all|everything)$/ }).click();
      await results.getByRole('row').first().waitFor();
    });
  }

  it('that says a thing twice is refused on a page, with a way on', async () => {
    const page = await portal.signedIn();
    for (const twice of [`${portal.base}/webhooks?state=active&state=disabled`, '/audit?actor=a&actor=b', '/signin?back=/a&back=/b']) {
      const answer = await page.goto(twice);
      assert.equal(answer.status(), 400, twice);
      assert.match(await page.getByRole('main').innerText(), /more than once/, twice);
      await assertAccessible(page);
      await page.getByRole('link', { name: 'To the environments' }).click();
      await page.waitForURL('**/environments');
    }
  });

  it('that only takes forms leads to the page that it belongs to, when somebody loads it again', async () => {
    const page = await portal.signedIn();
    const pages = { ...PAGES, ...UNLINKED_PAGES };
    for (const row of Object.keys(CHANGES).filter((row) => !pages[row])) {
      const address = addressOf(row, ids);
      const answer = await page.request.get(address, { maxRedirects: 0 });
      assert.equal(answer.status(), 303, row);
      const place = await page.request.get(answer.headers().location);
      assert.equal(place.status(), 200, `${row} leads to ${place.url()}`);
      assert.ok(pages[rowOf(place.url())], `${row} leads to ${place.url()}`);
    }
  });
});
