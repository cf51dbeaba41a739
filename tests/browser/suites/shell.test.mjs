// What stands around every page: by keyboard, on a phone, in the theme that somebody chose.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { WIDTHS, assertAccessible } from '../browser.mjs';
import { portalForThisSuite } from '../portal.mjs';

const [, PHONE] = WIDTHS;

describe('the shell', () => {
  const portal = portalForThisSuite();

  it('goes anywhere from the keyboard alone', async () => {
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/settings`);
    await page.keyboard.press('Control+k');
    const palette = page.getByRole('dialog', { name: 'Go to' });
    await palette.waitFor();
    await assertAccessible(page);
    await page.keyboard.type('catal');
    await palette.getByRole('option', { name: 'Catalogue' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/catalogue');
  });

  it('lets whoever uses the keyboard skip what is on every page', async () => {
    const page = await portal.signedIn();
    await page.goto('/environments');
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    assert.ok(
      await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0),
      'it is the first stop, and seen',
    );
    await page.keyboard.press('Enter');
    assert.ok(await page.getByRole('main').evaluate((main) => main === document.activeElement));
  });

  it('keeps the theme that somebody chose', async () => {
    const page = await portal.signedIn({ theme: 'light' });
    const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await background();
    await page.getByRole('button', { name: 'Change between light and dark' }).click();
    const dark = await background();
    assert.notEqual(dark, light);
    await page.goto('/account');
    assert.equal(await background(), dark);
  });

  it('folds into a menu on a phone', async () => {
    const page = await portal.signedIn({ width: PHONE });
    await page.goto(`${portal.base}/catalogue`);
    const settings = page.getByRole('navigation', { name: 'Development' }).getByRole('link', { name: 'Settings' });
    assert.equal(await settings.isVisible(), false);
    const menu = page.getByRole('button', { name: 'Menu' });
    await menu.click();
    assert.equal(await menu.getAttribute('aria-expanded'), 'true');
    await settings.waitFor();
    await assertAccessible(page);
    await settings.click();
    await page.waitForURL('**/settings');
  });

  it('changes the environment from anywhere', async () => {
    await portal.server.native.ok('POST', '/v1/environments', { name: 'Production' });
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/settings`);
    await page.locator('summary', { hasText: 'Development' }).click();
    await assertAccessible(page);
    await page.getByRole('link', { name: 'Production' }).click();
    await page.waitForURL((url) => /^\/environments\/[^/]+$/.test(url.pathname) && !url.pathname.startsWith(portal.base));
  });

  it('says of an address that leads nowhere that it does, with a way on', async () => {
    const page = await portal.signedIn();
    for (const address of ['/environments/00000000-0000-4000-8000-000000000000', `${portal.base}/webhooks/wh_0000000000000`]) {
      const answer = await page.goto(address);
      assert.equal(answer.status(), 404, address);
      await assertAccessible(page);
      await page.getByRole('link', { name: 'To the environments' }).click();
      await page.waitForURL('**/environments');
    }
  });
});
