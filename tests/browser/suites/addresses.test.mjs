// What addresses are answered that people change by hand, keep for years, or load again.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { assertAccessible } from '../browser.mjs';
import { portalForThisSuite } from '../portal.mjs';

describe('an address', () => {
  const portal = portalForThisSuite();

  it('that says a thing twice is refused on a page, with a way on', async () => {
    const page = await portal.signedIn();
    for (const twice of [`${portal.base}/webhooks?state=active&state=disabled`, '/audit?actor=a&actor=b', '/signin?back=/a&back=/b']) {
      const answer = await page.goto(twice);
      assert.equal(answer.status(), 400, twice);
      assert.match(await page.getByRole('main').innerText(), /twice|duplicate|more than once/i, twice);
      await assertAccessible(page);
      await page.getByRole('link', { name: 'To the environments' }).click();
      await page.waitForURL('**/environments');
    }
  });
});
