// @frontegg/rest-api 7.119.0 with a tenant's own token, as embedded in a customer's page.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { connectivityApi, coversEveryCall, form, PREFIXES, refused } from '../connectivity.mjs';
import { eventually } from '../deadline.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer, vendorToken } from '../server.mjs';

for (const [name, urlPrefix] of Object.entries(PREFIXES)) {
  describe(`ConnectivityApi as a tenant, ${name}`, () => {
    const world = { tenantId: randomUUID() };
    const apiOf = async (tenantId, scopes) =>
      connectivityApi(world.server, { token: await world.server.native.tenantToken(tenantId, scopes), urlPrefix });

    before(async () => {
      world.receiver = await startReceiver();
      world.server = await startServer();
      world.api = await apiOf(world.tenantId);
    });
    after(async () => {
      await world.receiver?.stop();
      await world.server?.stop();
    });

    coversEveryCall(() => world);

    it('owns what it creates, whatever tenant the request names', async () => {
      const { api, receiver, tenantId } = world;
      const row = await api.postWebhooksConfiguration({ ...form(receiver), tenantId: randomUUID() });
      assert.equal(row.tenantId, tenantId);
    });

    it('sees nothing of the environment and nothing of another tenant', async () => {
      const { api, receiver, server, tenantId } = world;
      const vendor = connectivityApi(server, { token: await vendorToken(server), urlPrefix });
      const other = await apiOf(randomUUID());
      const mine = await api.postWebhooksConfiguration(form(receiver));
      const hidden = [await vendor.postWebhooksConfiguration(form(receiver)), await other.postWebhooksConfiguration(form(receiver))];

      const seen = (await api.getWebhooksConfigurations()).map((row) => [row._id, row.tenantId]);
      assert.ok(seen.some(([id]) => id === mine._id));
      assert.deepEqual(
        seen.filter(([id, owner]) => owner !== tenantId || hidden.some(({ _id }) => _id === id)),
        [],
      );
      assert.deepEqual(
        (await other.getWebhooksConfigurations()).map(({ _id }) => _id),
        [hidden[1]._id],
      );
      for (const { _id } of hidden) {
        await refused(api.postWebhooksConfiguration({ _id, displayName: 'taken over' }), 404);
        await refused(api.deleteWebhooksConfiguration(_id), 404);
        await refused(api.getWebhookLog(_id), 404);
      }
      const kept = await vendor.getWebhooksConfigurations();
      for (const { _id } of hidden) assert.equal(kept.find((row) => row._id === _id).displayName, 'Orders');
    });

    it('cannot send again what went to another tenant', async () => {
      const { api, receiver, server } = world;
      const otherId = randomUUID();
      const other = await apiOf(otherId);
      const row = await other.postWebhooksConfiguration(form(receiver));
      await server.native.publish({ eventKey: 'frontegg.user.created', tenantId: otherId, payload: {} });
      const entry = await eventually(async () => (await other.getWebhookLog(row._id)).rows[0], 'a row in the log');
      await refused(api.postWebhookRetry(entry.id), 404);
      assert.equal((await other.getWebhookLog(row._id)).count, 1);
    });

    it('gets the events of its tenant and of no other', async () => {
      const { api, receiver, server, tenantId } = world;
      const row = await api.postWebhooksConfiguration(form(receiver, { eventKeys: ['frontegg.tenant.updated'] }));
      const publish = (tenant, number) =>
        server.native.publish({ eventKey: 'frontegg.tenant.updated', payload: { number }, ...(tenant ? { tenantId: tenant } : {}) });
      await publish(randomUUID(), 1);
      await publish(undefined, 2);
      await publish(tenantId, 3);
      const deliveries = await receiver.deliveries(new URL(row.url).pathname);
      assert.deepEqual(
        deliveries.map(({ body }) => JSON.parse(body).number),
        [3],
      );
    });

    it('does not become another tenant by naming it in a header or in the page', async (t) => {
      const { receiver, server, tenantId } = world;
      const otherId = randomUUID();
      const other = await apiOf(otherId);
      const row = await other.postWebhooksConfiguration(form(receiver));
      const token = await server.native.tenantToken(tenantId);
      const claiming = connectivityApi(server, { token, urlPrefix, headers: { 'frontegg-tenant-id': otherId } });
      window.location.search = `?tenantId=${otherId}`;
      t.after(() => (window.location.search = ''));
      // A refusal is as good as the tenant's own list.
      const seen = await claiming.getWebhooksConfigurations().catch((error) => {
        assert.ok([403, 404].includes(error.statusCode), error.message);
        return [];
      });
      assert.ok(!seen.some(({ _id }) => _id === row._id));
    });

    it('only looks when its token may only read', async () => {
      const { api, receiver, tenantId } = world;
      const row = await api.postWebhooksConfiguration(form(receiver));
      const reader = await apiOf(tenantId, ['read']);
      assert.ok((await reader.getWebhooksConfigurations()).some(({ _id }) => _id === row._id));
      assert.deepEqual(await reader.getWebhookLog(row._id), { count: 0, rows: [] });
      await refused(reader.postWebhooksConfiguration(form(receiver)), 403);
      await refused(reader.postWebhooksConfiguration({ _id: row._id, isActive: false }), 403);
      await refused(reader.deleteWebhooksConfiguration(row._id), 403);
      await refused(reader.postWebhookTest({ url: row.url, secret: null }), 403);
    });
  });
}
