// Deliveries as receivers verify them: npm jsonwebtoken on x-webhook-secret, npm standardwebhooks on its three headers.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import jwt from 'jsonwebtoken';

import { startReceiver } from '../receiver.mjs';
import { startServer } from '../server.mjs';
import { standardWebhook, verified } from '../verification.mjs';

describe('a receiver', () => {
  let server, receiver;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer();
  });
  after(async () => {
    await receiver?.stop();
    await server?.stop();
  });

  /** One delivery of that payload, sent as the text that it is, to a webhook with these fields. */
  async function delivery(fields = {}, payload = '{"user":{"id":"u-1"}}') {
    const path = `/${randomUUID()}`;
    const tenantId = randomUUID();
    const webhook = { name: 'Receiver', url: receiver.url(path), eventKeys: ['frontegg.user.updated'], tenantId, ...fields };
    await server.native.createWebhook(webhook);
    await server.native.publish(`{"eventKey":"frontegg.user.updated","tenantId":"${tenantId}","payload":${payload}}`);
    const [delivery] = await receiver.deliveries(path);
    return { ...delivery, tenantId };
  }

  it('verifies a secret with letters of any language', async () => {
    const secret = 'pässwörd — 秘密の鍵';
    verified(await delivery({ secret }), secret);
  });

  it('refuses another secret, and the secret itself instead of a token', async () => {
    const { headers, body } = await delivery({ secret: 'the right secret' });
    assert.throws(() => jwt.verify(headers['x-webhook-secret'], 'the wrong secret'), /invalid signature/);
    assert.throws(() => standardWebhook('the wrong secret').verify(body.toString(), headers), /No matching signature/);
    assert.notEqual(headers['x-webhook-secret'], 'the right secret');
  });

  it('refuses a body that was changed on its way', async () => {
    const secret = 'the right secret';
    const received = await delivery({ secret });
    const body = Buffer.from(received.body.toString().replace('u-1', 'u-2'));
    assert.throws(() => standardWebhook(secret).verify(body.toString(), received.headers), /No matching signature/);
    assert.throws(() => verified({ ...received, body }, secret));
  });

  it('gets no token from a webhook without a secret', async () => {
    const { headers } = await delivery();
    assert.equal(headers['x-webhook-secret'], undefined);
    assert.equal(headers['webhook-signature'], undefined);
  });

  it('gets the payload byte for byte as it was sent', async () => {
    const payload = '{ "b" : 1.0e2,\n"a":"\\u00e9 é", "big":12345678901234567890, "empty" : { }}';
    const { body, tenantId } = await delivery({}, payload);
    const context = JSON.stringify({ vendorId: server.environmentId, tenantId });
    assert.equal(body.toString(), `${payload.slice(0, -1)},"eventContext":${context},"eventKey":"frontegg.user.updated"}`);
  });

  it('gets an event without members', async () => {
    const { body, tenantId } = await delivery({}, '{}');
    assert.deepEqual(JSON.parse(body), { eventContext: { vendorId: server.environmentId, tenantId }, eventKey: 'frontegg.user.updated' });
  });

  it("gets the webhook's own headers beside those of every delivery", async () => {
    const secret = 'the right secret';
    const received = await delivery({ secret, headers: { 'x-tenant-source': 'tidings' } });
    assert.equal(received.headers['x-tenant-source'], 'tidings');
    verified(received, secret);
  });
});
