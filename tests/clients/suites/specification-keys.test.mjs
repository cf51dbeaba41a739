// Each event key of the specification: subscribed, sent, delivered with the documented body, and both signatures verified.

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { eventTypes } from '../catalogue.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer } from '../server.mjs';
import { verified } from '../verification.mjs';

const SPECIFIED = eventTypes.filter(({ inSpecification }) => inSpecification);

describe('every event key of the specification', () => {
  let server, receiver;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer();
  });
  after(async () => {
    await receiver?.stop();
    await server?.stop();
  });

  it('is in the catalogue', () => {
    assert.equal(SPECIFIED.length, 35);
  });

  SPECIFIED.forEach(({ key, example }, number) => {
    it(`${key} arrives as documented`, async () => {
      // Both kinds of secret: generated, and chosen by a person.
      const secret = number % 2 === 0 ? `whsec_${randomBytes(32).toString('base64')}` : `chosen for number ${number}`;
      const path = `/${key}`;
      const id = await server.native.createWebhook({ name: key, url: receiver.url(path), secret, eventKeys: [key] });
      const context = { tenantId: randomUUID(), userId: randomUUID(), applicationId: randomUUID() };
      const eventId = await server.native.publish({ eventKey: key, payload: example, ...context });

      const deliveries = await receiver.deliveries(path);
      const body = verified(deliveries[0], secret);
      assert.deepEqual(body, { ...example, eventContext: { vendorId: server.environmentId, ...context }, eventKey: key });
      assert.deepEqual(Object.keys(body), [...Object.keys(example), 'eventContext', 'eventKey']);
      assert.equal(deliveries[0].headers['webhook-id'], eventId);
      assert.equal(deliveries.length, 1);
      await server.native.ok('DELETE', `/v1/webhooks/${id}`);
    });
  });

  it('went to nobody who had not subscribed to it', () => {
    const counts = SPECIFIED.map(({ key }) => receiver.received(`/${key}`).length);
    assert.deepEqual(counts, counts.map(() => 1));
  });
});
