// @frontegg/rest-api 7.119.0 with the token of a vendor, who sees the whole environment.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { connectivityApi, coversEveryCall, form, PREFIXES, refused } from '../connectivity.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer, vendorToken } from '../server.mjs';
import { assertErrorBody } from '../shapes.mjs';

for (const [name, urlPrefix] of Object.entries(PREFIXES)) {
  describe(`ConnectivityApi as a vendor, ${name}`, () => {
    const world = { tenantId: randomUUID() };

    before(async () => {
      world.receiver = await startReceiver();
      world.server = await startServer();
      const headers = { 'frontegg-environment-id': world.server.environmentId };
      world.api = connectivityApi(world.server, { token: await vendorToken(world.server), urlPrefix, headers });
    });
    after(async () => {
      await world.receiver?.stop();
      await world.server?.stop();
    });

    coversEveryCall(() => world);

    it('is refused without a token, with a foreign one, and for an environment that is not its own', async () => {
      const { api, server } = world;
      await refused(connectivityApi(server, { token: undefined, urlPrefix }).getWebhooksConfigurations(), 401);
      await refused(connectivityApi(server, { token: 'e30.e30.e30', urlPrefix }).getWebhooksConfigurations(), 401);
      const headers = { 'frontegg-environment-id': randomUUID() };
      const elsewhere = connectivityApi(server, { token: await vendorToken(server), urlPrefix, headers });
      const error = await elsewhere.getWebhooksConfigurations().then(assert.fail, (error) => error);
      assert.ok([403, 404].includes(error.statusCode), error.message);
      assert.ok(Array.isArray(await api.getWebhooksConfigurations()));
    });

    it('gives errors that every generation of clients can read', async () => {
      const { server } = world;
      const prefix = urlPrefix === '.' ? '' : `/${urlPrefix}`;
      const response = await fetch(`${server.url}${prefix}/webhook`);
      assert.equal(response.status, 401);
      assertErrorBody(await response.json(), 401);
    });

    it('sees the webhooks of its tenants beside its own', async () => {
      const { api, receiver, server } = world;
      const tenantId = randomUUID();
      const ofTenant = connectivityApi(server, { token: await server.native.tenantToken(tenantId), urlPrefix });
      const row = await ofTenant.postWebhooksConfiguration(form(receiver));
      const seen = (await api.getWebhooksConfigurations()).find(({ _id }) => _id === row._id);
      assert.equal(seen.tenantId, tenantId);
    });
  });
}
