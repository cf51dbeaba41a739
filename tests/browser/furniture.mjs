// An environment in which things have happened, so that every page has something to show.

import assert from 'node:assert/strict';

import { eventually } from '../clients/deadline.mjs';

const ORDER_PAID = {
  key: 'shop.order.paid',
  displayName: 'Order paid',
  category: 'Shop',
  description: 'A customer paid for an order.',
  example: { order: { id: 'ord_4711', total: { amount: '49.90', currency: 'EUR' }, lines: [{ sku: 'TSHIRT-M', count: 2 }] } },
};

/**
 * Fills the environment of a first start by the API, and gives the ids of one thing of each kind: a webhook that works, one
 * that fails, one that is off, a custom event type, and events with their deliveries.
 */
export async function furnish({ server, receiver }) {
  const { native } = server;
  receiver.answer('/crm', () => ({
    status: 500,
    headers: { 'content-type': 'application/json' },
    body: '{"error":"the database is read-only"}',
  }));
  receiver.answer('/billing', () => ({ headers: { 'content-type': 'application/json' }, body: '{"received":true}' }));
  await native.ok('POST', '/v1/event-types', ORDER_PAID);
  const webhook = await native.createWebhook({
    name: 'Billing',
    description: 'Books what was paid.',
    url: receiver.url('/billing'),
    eventKeys: ['User Management.*', ORDER_PAID.key],
    generateSecret: true,
    headers: { 'x-team': 'billing' },
  });
  const failing = await native.createWebhook({
    name: 'CRM',
    url: receiver.url('/crm'),
    eventKeys: ['frontegg.user.created'],
    secret: 'a secret of some length',
  });
  const off = await native.createWebhook({
    name: 'Old partner',
    url: 'https://partner.example.test/hooks/tidings',
    eventKeys: ['Tenant.*'],
  });
  await native.ok('POST', `/v1/webhooks/${off}/disable`);
  const user = { id: 'c4a0d9f3-1b7e-4c28-a6d5-93e7f2b8104c', email: 'dana.reyes@example.test', name: 'Dana Reyes' };
  const event = await native.publish({ eventKey: 'frontegg.user.created', tenantId: 'acme', payload: { user } });
  await native.publish({ eventKey: ORDER_PAID.key, tenantId: 'acme', payload: ORDER_PAID.example });
  await native.publish({ eventKey: 'frontegg.user.updated', tenantId: 'globex', payload: { user } });
  await native.publish({ eventKey: 'frontegg.tenant.created', payload: {} });
  await receiver.deliveries('/billing', 3);
  const delivery = await deliveryTo(server, failing, ({ attempts }) => attempts > 0);
  return { environment: server.environmentId, webhook, failing, off, event, delivery: delivery.id, key: ORDER_PAID.key };
}

/** Waits for a delivery to that webhook of which `is` holds. */
export async function deliveryTo({ native }, webhookId, is) {
  return eventually(async () => {
    const { data } = await native.ok('GET', `/v1/deliveries?webhookId=${webhookId}`);
    assert.ok(Array.isArray(data));
    return data.find(is);
  }, `a delivery to ${webhookId}`);
}

/** Everything that forms can change, as the API tells it. */
export async function everything({ native }, environment) {
  const routes = ['/v1/environments', '/v1/webhooks', '/v1/event-types', '/v1/events', `/v1/environments/${environment}/credentials`];
  return Promise.all(routes.map(async (route) => (await native.ok('GET', route)).data));
}
