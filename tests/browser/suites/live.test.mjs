// What pages show by themselves when something happens, and that they do without scripts what matters.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { portalForThisSuite } from '../portal.mjs';
import { addWebhook, sendEvent, sendTest, toWebhooks } from '../steps.mjs';

describe('the live tail', () => {
  const portal = portalForThisSuite();

  it('shows what is delivered as it is, without loading the page again', async () => {
    const { receiver, server } = portal;
    await server.native.createWebhook({ name: 'Orders', url: receiver.url('/live'), eventKeys: ['frontegg.user.created'] });
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/deliveries?live=1`);
    await page.evaluate(() => (globalThis.thisLoad = true));
    const rows = page.getByRole('row').filter({ hasText: 'frontegg.user.created' });
    for (let sent = 1; sent <= 2; sent++) {
      assert.equal(await rows.count(), sent - 1);
      await server.native.publish({ eventKey: 'frontegg.user.created', payload: {} });
      await rows
        .filter({ hasText: 'delivered' })
        .nth(sent - 1)
        .waitFor();
    }
    assert.ok(await page.evaluate(() => globalThis.thisLoad), 'the page was not loaded again');
  });

  it('shows only what the filters of the page ask for', async () => {
    const { receiver, server } = portal;
    await server.native.createWebhook({ name: 'Tenants', url: receiver.url('/tenants'), eventKeys: ['Tenant.*', 'MFA.*'] });
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/deliveries?live=1&eventKey=frontegg.tenant.created`);
    await server.native.publish({ eventKey: 'frontegg.user.enrolledMFA', payload: {} });
    await receiver.deliveries('/tenants', 1);
    await server.native.publish({ eventKey: 'frontegg.tenant.created', payload: {} });
    await page.getByRole('row').filter({ hasText: 'frontegg.tenant.created' }).waitFor();
    assert.equal(await page.getByRole('row').filter({ hasText: 'frontegg.user.enrolledMFA' }).count(), 0);
  });
});

describe('a payload that is being written', () => {
  const portal = portalForThisSuite();

  it('is said to be no JSON, and in which line', async () => {
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/events/send`);
    const payload = page.getByLabel('Payload');
    const wrong = page.locator('#payload-wrong');
    for (const [text, line] of [
      ['{\n  "user": nobody\n}', 2],
      ['{\n  "a": 1,\n}', 3],
      ['{\n  "a": "Unexpected token",\n  "b": [1,\n  ,2]\n}', 4],
      ['{"a": 1', 1],
    ]) {
      await payload.fill(text);
      assert.match(await wrong.innerText(), new RegExp(`^Line ${line}: [A-Z].+$`), text);
      assert.equal(await payload.getAttribute('aria-invalid'), 'true');
    }
    await payload.fill('{"a": 1}');
    assert.equal(await wrong.innerText(), '');
    assert.equal(await payload.getAttribute('aria-invalid'), 'false');
  });
});

describe('without scripts', () => {
  const portal = portalForThisSuite();

  it('a webhook is set up, tested and sent an event to', async () => {
    const page = await portal.signedIn({ javaScriptEnabled: false });
    await toWebhooks(page, 'Development');
    const { receiver } = portal;
    const id = await addWebhook(page, {
      events: ['frontegg.user.created'],
      name: 'Plain',
      url: receiver.url('/plain'),
      secret: 'a secret of some length',
    });
    receiver.answer('/plain', (n) => (n === 1 ? { status: 404 } : {}));
    assert.match(await sendTest(page, 'The test failed.'), /HTTP 404/);
    await sendTest(page, 'The test passed.');
    await page.getByRole('link', { name: 'Finish' }).click();
    await page.getByRole('heading', { name: 'Plain is done' }).waitFor();
    await sendEvent(page, portal.base, 'frontegg.user.created');
    await receiver.deliveries('/plain', 3);
    await page.goto(`${portal.base}/webhooks/${id}`);
    await page.getByRole('link', { name: 'frontegg.user.created' }).click();
    await page.waitForURL('**/deliveries/dlv_*');
  });

  it('a webhook is disabled, enabled, duplicated and deleted', async () => {
    const { receiver, server } = portal;
    const id = await server.native.createWebhook({ name: 'Switched', url: receiver.url('/switched'), eventKeys: ['*'] });
    const page = await portal.signedIn({ javaScriptEnabled: false });
    await page.goto(`${portal.base}/webhooks/${id}`);
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Disable' }).waitFor();
    await page.locator('summary[aria-label="More actions"]').click();
    await page.getByRole('button', { name: 'Duplicate' }).click();
    await page.waitForURL((url) => !url.pathname.includes(id));
    await page.goto(`${portal.base}/webhooks/${id}/settings`);
    await page.getByRole('button', { name: 'Delete webhook' }).click();
    await page.waitForURL('**/webhooks');
    assert.equal((await server.native.call('GET', `/v1/webhooks/${id}`)).status, 404);
    const { data } = await server.native.ok('GET', '/v1/webhooks');
    const copies = data.filter(({ name }) => name.includes('Switched'));
    assert.deepEqual(
      copies.map(({ active, url }) => ({ active, url })),
      [{ active: false, url: receiver.url('/switched') }],
    );
  });

  it('a search is a form', async () => {
    const { receiver, server } = portal;
    for (const name of ['Needle', 'Hay']) await server.native.createWebhook({ name, url: receiver.url(`/${name}`), eventKeys: ['*'] });
    const page = await portal.signedIn({ javaScriptEnabled: false });
    await page.goto(`${portal.base}/webhooks`);
    await page.getByLabel('Name or URL').fill('needl');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL('**/webhooks?*q=needl*');
    await page.getByRole('link', { name: 'Needle' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Hay' }).count(), 0);
  });
});
