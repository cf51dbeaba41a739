// @frontegg/client 1.0.65: the old way to authenticate, and triggers of the first and second generation.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';

import { eventually } from '../deadline.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer } from '../server.mjs';
import { verified } from '../verification.mjs';

const SECRET = 'a secret of some length';

// The client renews its token by a timer that nobody can clear; it should not keep this process from ending.
const { setTimeout } = globalThis;
globalThis.setTimeout = (run, ms, ...rest) => {
  const timer = setTimeout(run, ms, ...rest);
  return ms > 60_000 ? timer.unref() : timer;
};

describe('@frontegg/client 1.0.65', () => {
  let server, receiver, events;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer();
    process.env.FRONTEGG_API_GATEWAY_URL = server.url;
    const { EventsClient } = createRequire(import.meta.url)('frontegg-client-1/dist/src/events');
    events = new EventsClient();
    await events.init(server.clientId, server.clientSecret);
    await dialect('POST', '/event/resources/configurations/v1', {
      key: 'order.placed',
      displayName: 'Order placed',
      description: 'An order came in.',
    });
  });
  after(async () => {
    await receiver?.stop();
    await server?.stop();
  });

  /** A call that this client has no method for, with its own token. */
  async function dialect(method, path, body) {
    const response = await fetch(server.url + path, {
      method,
      headers: { 'x-access-token': events.authenticator.accessToken, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`);
    return { status: response.status, body: await response.json() };
  }

  async function tenantWithWebhook() {
    const tenantId = randomUUID();
    const path = `/${tenantId}`;
    await server.native.createWebhook({ name: 'Orders', url: receiver.url(path), secret: SECRET, eventKeys: ['order.placed'], tenantId });
    return { tenantId, path };
  }

  const delivered = (members, tenantId) => ({
    ...members,
    eventContext: { vendorId: server.environmentId, tenantId },
    eventKey: 'order.placed',
  });

  it('defines an event of its own', async () => {
    const key = `order.${randomUUID()}`;
    const { status, body } = await dialect('POST', '/event/resources/configurations/v1', { key, displayName: 'n', description: 'd' });
    assert.equal(status, 201);
    assert.equal(body.key, key);
    assert.equal(body.vendorId, server.environmentId);
    for (const name of ['id', 'displayName', 'description', 'categoryId', 'createdAt', 'updatedAt']) {
      assert.equal(typeof body[name], 'string', name);
    }
    const { body: listed } = await dialect('GET', '/event/resources/configurations/v1');
    assert.ok(Array.isArray(listed));
    assert.ok(listed.some((event) => event.key === key));
    await dialect('DELETE', `/event/resources/configurations/v1/${encodeURIComponent(body.id)}`);
    const { body: left } = await dialect('GET', '/event/resources/configurations/v1');
    assert.ok(!left.some((event) => event.key === key));
  });

  it('sends v2 with its properties as the body', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    const properties = { title: 'T', description: 'D', id: 7 };
    const channels = { webhook: true, bell: true, audit: { severity: 'Info' } };
    const { eventId } = await events.trigger({ eventKey: 'order.placed', properties, channels, tenantId });
    assert.equal(typeof eventId, 'string');
    const [delivery] = await receiver.deliveries(path);
    assert.deepEqual(verified(delivery, SECRET), delivered(properties, tenantId));
  });

  it('sends v2 with what its webhook channel adds and overrides', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    await events.trigger({
      eventKey: 'order.placed',
      properties: { title: 'T', description: 'D', id: 7 },
      channels: { webhook: { orderId: 42, title: 'Other' } },
      tenantId,
    });
    const [delivery] = await receiver.deliveries(path);
    assert.deepEqual(verified(delivery, SECRET), delivered({ title: 'Other', description: 'D', id: 7, orderId: 42 }, tenantId));
  });

  it('reads the status of v2 under its own path', async () => {
    const { tenantId } = await tenantWithWebhook();
    const properties = { title: 'T', description: 'D' };
    const { eventId } = await events.trigger({ eventKey: 'order.placed', properties, channels: { webhook: true }, tenantId });
    const reply = await eventually(async () => {
      const { body } = await dialect('GET', `/event/resources/triggers/v2/statuses/${eventId}`);
      return body.channels.webhook.status !== 'PENDING' && body;
    }, 'a status that is not PENDING');
    assert.equal(reply.eventId, eventId);
    assert.equal(reply.eventKey, 'order.placed');
    assert.deepEqual(reply.channels.webhook, { status: 'SUCCEEDED', errorMetadata: {} });
  });

  it('sends v1 with its metadata as the body, to a list of channels or to one', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    await events.triggerEvent('order.placed', { a: 1, nested: { b: [2] } }, ['webhook', 'slack'], tenantId);
    const [first] = await receiver.deliveries(path, 1);
    assert.deepEqual(verified(first, SECRET), delivered({ a: 1, nested: { b: [2] } }, tenantId));
    await events.triggerEvent('order.placed', { a: 2 }, 'webhook', tenantId);
    const [, second] = await receiver.deliveries(path, 2);
    assert.deepEqual(verified(second, SECRET), delivered({ a: 2 }, tenantId));
  });

  it('delivers nothing to webhooks when the trigger names other channels only', async () => {
    const { tenantId, path } = await tenantWithWebhook();
    const properties = { title: 'T', description: 'D' };
    await events.triggerEvent('order.placed', { channel: 'slack' }, ['slack'], tenantId);
    await events.trigger({ eventKey: 'order.placed', properties, channels: { audit: true }, tenantId });
    await events.triggerEvent('order.placed', { channel: 'webhook' }, ['webhook'], tenantId);
    const deliveries = await receiver.deliveries(path);
    assert.deepEqual(
      deliveries.map(({ body }) => JSON.parse(body).channel),
      ['webhook'],
    );
  });

  it('is refused with a wrong secret', async () => {
    const { EventsClient } = createRequire(import.meta.url)('frontegg-client-1/dist/src/events');
    await assert.rejects(new EventsClient().init(server.clientId, 'not the secret'), /Failed to authenticate/);
  });
});
