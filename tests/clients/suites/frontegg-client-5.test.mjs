// @frontegg/client 5.3.2: vendor authentication, and triggers of the third generation with their statuses.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../deadline.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer } from '../server.mjs';
import { assertErrorBody } from '../shapes.mjs';
import { verified } from '../verification.mjs';

/** The longest wait that a timer of Node.js can hold; with a longer one it fires at once, and clients would ask without end. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const SECRET = 'a secret of some length';

describe('@frontegg/client 5.3.2', () => {
  let server, receiver, authenticator, events, FronteggAuthenticator;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer();
    await server.native.ok('POST', '/v1/event-types', {
      key: 'order.placed',
      displayName: 'Order placed',
      description: 'An order came in.',
      category: 'Orders',
    });
    // Read once, when the client is loaded.
    process.env.FRONTEGG_API_GATEWAY_URL = server.url;
    process.env.FRONTEGG_AUTHENTICATOR_NUMBER_OF_TRIES = '1';
    const client = createRequire(import.meta.url)('@frontegg/client');
    FronteggAuthenticator = client.FronteggAuthenticator;
    authenticator = new FronteggAuthenticator();
    await authenticator.init(server.clientId, server.clientSecret);
    events = new client.EventsClient(authenticator);
  });
  after(async () => {
    await authenticator?.shutdown();
    await receiver?.stop();
    await server?.stop();
  });

  /** A tenant of its own with one webhook for the orders. */
  async function tenantWithWebhook() {
    const tenantId = randomUUID();
    const path = `/${tenantId}`;
    await server.native.createWebhook({ name: 'Orders', url: receiver.url(path), secret: SECRET, eventKeys: ['order.placed'], tenantId });
    return { tenantId, path };
  }

  function orderPlaced(data = {}) {
    return { eventKey: 'order.placed', data: { title: 'Order placed', description: 'An order came in', ...data } };
  }

  const status = (eventId, wanted) =>
    eventually(async () => {
      const reply = await events.getStatus(eventId);
      return reply.channels.webhook?.status === wanted && reply;
    }, `the status ${wanted}`);

  it('authenticates, and gets a token that names its environment', () => {
    const claims = JSON.parse(Buffer.from(authenticator.accessToken.split('.')[1], 'base64url'));
    assert.equal(claims.type, 'vendor');
    assert.equal(claims.vendorId, server.environmentId);
    const renewal = authenticator.accessTokenExpiry - Date.now();
    assert.ok(renewal > 0 && renewal < TIMER_MS_MAX, `the token would be renewed in ${renewal} ms`);
  });

  it('is refused with a wrong secret', async () => {
    const other = new FronteggAuthenticator();
    await assert.rejects(other.init(server.clientId, 'not the secret'), /Failed to authenticate/);
    await assert.rejects(other.init(randomUUID(), server.clientSecret), /Failed to authenticate/);
  });

  it('sends an event whose data is the body that subscribers get', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    const event = {
      ...orderPlaced({ orderId: 42, nested: { a: [1, 2] }, text: 'naïve – 価格' }),
      channelConfiguration: {
        email: { from: 'a@b.test', subject: 's', html: '<b>x</b>' },
        slack: { emails: ['x@y.test'], slackMessageConfig: { text: 'hi' } },
      },
    };
    const eventId = await events.send(tenantId, event);
    assert.equal(typeof eventId, 'string');
    const [delivery] = await receiver.deliveries(path);
    assert.deepEqual(verified(delivery, SECRET), {
      ...event.data,
      eventContext: { vendorId: server.environmentId, tenantId },
      eventKey: 'order.placed',
    });
  });

  it('reads SUCCEEDED once the delivery has arrived', async () => {
    const { tenantId } = await tenantWithWebhook();
    const eventId = await events.send(tenantId, orderPlaced());
    const reply = await status(eventId, 'SUCCEEDED');
    assert.equal(reply.eventKey, 'order.placed');
    assert.equal(reply.eventId, eventId);
    assert.deepEqual(reply.channels.webhook, { status: 'SUCCEEDED', errorMetadata: {} });
  });

  it('reads PENDING while a delivery waits for its next try, and SUCCEEDED after it', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    receiver.answer(path, (n) => ({ status: n === 1 ? 500 : 204 }));
    const eventId = await events.send(tenantId, orderPlaced());
    await receiver.deliveries(path, 1);
    assert.equal((await events.getStatus(eventId)).channels.webhook.status, 'PENDING');
    const [first, second] = await receiver.deliveries(path, 2);
    assert.deepEqual(second.body, first.body);
    assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
    verified(second, SECRET);
    await status(eventId, 'SUCCEEDED');
  });

  it('reads FAILED when the receiver is gone for good', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    receiver.answer(path, () => ({ status: 410 }));
    const eventId = await events.send(tenantId, orderPlaced());
    const { channels } = await status(eventId, 'FAILED');
    assert.equal(typeof channels.webhook.errorMetadata, 'object');
    assert.notEqual(channels.webhook.errorMetadata, null);
  });

  it("reaches the tenant's own webhooks and those of the environment, and no other tenant's", async () => {
    const one = await tenantWithWebhook();
    const other = await tenantWithWebhook();
    const path = `/environment/${randomUUID()}`;
    await server.native.createWebhook({ name: 'All orders', url: receiver.url(path), secret: SECRET, eventKeys: ['order.placed'] });
    await events.send(one.tenantId, orderPlaced({ number: 1 }));
    await events.send(other.tenantId, orderPlaced({ number: 2 }));
    const numbers = async (path, count) =>
      (await receiver.deliveries(path, count)).map(({ body }) => JSON.parse(body).number).sort((a, b) => a - b);
    assert.deepEqual(await numbers(path, 2), [1, 2]);
    assert.deepEqual(await numbers(one.path, 1), [1]);
    assert.deepEqual(await numbers(other.path, 1), [2]);
  });

  it('is told when the event key is not known', async () => {
    const refusal = await events.send(randomUUID(), { ...orderPlaced(), eventKey: 'order.plaecd' }).then(assert.fail, (error) => error);
    const { status, data } = refusal.response;
    assert.ok(status >= 400 && status < 500, `status ${status}`);
    assertErrorBody(data, status);
    assert.match(data.message, /order\.plaecd/);
  });

  it('is told when an event id is not known', async () => {
    const refusal = await events.getStatus('evt_0000000000000').then(assert.fail, (error) => error);
    assert.equal(refusal.response.status, 404);
    assertErrorBody(refusal.response.data, 404);
  });
});
