// The walk of the specification: from an empty start to a delivered event and its log.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { deliveryTo } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { addWebhook, sendEvent, sendTest, toWebhooks } from '../steps.mjs';

describe('somebody new', () => {
  const portal = portalForThisSuite({ people: false });

  it('gets from the printed link to a delivered event and its log', async () => {
    const page = await portal.stranger();
    const { receiver, server } = portal;

    await page.goto('/');
    assert.match(await page.getByRole('main').innerText(), /Nobody can sign in yet/);
    const link = await server.printed(/http\S+\/setup\?token=\S+/);
    await page.goto(link);
    await page.getByLabel('Email').fill('first@example.test');
    await page.getByLabel('Password').fill('four words in a row');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/environments');
    const thief = await portal.stranger();
    assert.ok((await thief.goto(link)).status() >= 400, 'the link works once');

    await toWebhooks(page, 'Development');
    await page.getByRole('heading', { name: 'No webhooks yet' }).waitFor();
    const events = ['frontegg.user.created', 'frontegg.user.deleted'];
    const id = await addWebhook(page, { events, name: 'Orders', url: receiver.url('/orders') });

    receiver.answer('/orders', (n) => (n === 1 ? { status: 500, body: '{"error":"the database is read-only"}' } : {}));
    const failed = await sendTest(page, 'The test failed.');
    assert.match(failed, /HTTP 500/);
    assert.match(failed, /the database is read-only/);
    assert.match(failed, /receiver|server|log/i, 'it says what to do');
    const passed = await sendTest(page, 'The test passed.');
    assert.match(passed, /HTTP 200/);
    const [, tested] = receiver.received('/orders');
    assert.equal(JSON.parse(tested.body).eventKey, 'frontegg.user.created');
    assert.match(tested.headers['x-webhook-secret'], /^[\w-]+\.[\w-]+\.[\w-]+$/);

    await page.getByRole('link', { name: 'Finish' }).click();
    await page.getByRole('heading', { name: 'Orders is done' }).waitFor();
    for (const language of ['Python', 'Go', 'Rust', 'PHP', 'Java', 'Node']) {
      await page.getByRole('link', { name: language, exact: true }).click();
      const code = page.getByLabel(`${language} receiver`);
      await code.waitFor();
      assert.match(await code.innerText(), /WEBHOOK_SECRET/);
    }

    await sendEvent(page, portal.base, 'frontegg.user.created');
    const [, , delivered] = await receiver.deliveries('/orders', 3);
    assert.equal(JSON.parse(delivered.body).eventKey, 'frontegg.user.created');
    await deliveryTo(server, id, ({ status }) => status === 'delivered');

    await page.goto(`${portal.base}/webhooks/${id}`);
    await page
      .getByRole('row', { name: /frontegg\.user\.created/ })
      .getByText('delivered', { exact: true })
      .waitFor();
    await page.getByRole('link', { name: 'frontegg.user.created' }).click();
    await page.waitForURL('**/deliveries/dlv_*');
    const log = await page.getByRole('main').innerText();
    assert.match(log, /delivered/);
    assert.match(log, /200/);
  });
});
