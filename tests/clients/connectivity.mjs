// ConnectivityApi of @frontegg/rest-api, set up as the vendor's pages do, and its nine webhook calls as tests for any token and prefix.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { it } from 'node:test';

import { categories, eventTypes } from './catalogue.mjs';
import { eventually } from './deadline.mjs';
import { closedUrl } from './receiver.mjs';
import { assertCategory, assertChannelEvent, assertLogRow, assertWebhook } from './shapes.mjs';
import { verified } from './verification.mjs';

// It was made for pages, and looks for a tenant in the page's address.
globalThis.window = { location: { href: 'http://page.example.test/', search: '' } };

const { ContextHolder, createApiClient } = createRequire(import.meta.url)('@frontegg/rest-api');

/**
 * The two prefixes under which clients look for the API. The client always adds one; from `.` the URL parser
 * makes none at all.
 */
export const PREFIXES = { '/frontegg': 'frontegg', 'no prefix': '.' };

/** The unmodified client, with that token as its bearer. */
export function connectivityApi({ url }, { token, urlPrefix = 'frontegg', headers = {} }) {
  const app = randomUUID();
  ContextHolder.for(app).setRequestSource('admin-portal');
  ContextHolder.for(app).setContext({
    baseUrl: url,
    urlPrefix,
    tokenResolver: async () => token,
    additionalHeadersResolver: async () => Object.entries(headers).map(([key, value]) => ({ key, value })),
    tenantResolver: async () => ({ tenant: 'acme' }),
    appId: randomUUID(),
    metadataHeaders: { fronteggSdkVersion: '@frontegg/react@7.0.0', framework: 'react:18.0.0' },
  });
  return createApiClient(app).connectivity;
}

/** The error that a call of the client has to fail with. */
export async function refused(call, statusCode) {
  const error = await call.then(
    (reply) => assert.fail(`expected ${statusCode}, got the reply ${JSON.stringify(reply)}`),
    (error) => error,
  );
  assert.equal(error.statusCode, statusCode, error.message);
  assert.ok(Array.isArray(error.errors) && error.errors.length > 0, 'the client shows what is in errors');
  assert.equal(error.message, error.errors.join(', '));
  return error;
}

/** What a person fills in. */
export function form(receiver, fields = {}) {
  return {
    displayName: 'Orders',
    description: '',
    url: receiver.url(`/${randomUUID()}`),
    secret: 'a secret of some length',
    eventKeys: ['frontegg.user.created'],
    isActive: true,
    ...fields,
  };
}

const pathOf = (url) => new URL(url).pathname;

/**
 * Registers the tests of every webhook call and of the catalogue. `world()` gives `{server, receiver, api, tenantId}` once the
 * suite runs: the API as the caller sees it, and the tenant that owns what happens.
 */
export function coversEveryCall(world) {
  const publish = (eventKey = 'frontegg.user.created') =>
    world().server.native.publish({ eventKey, tenantId: world().tenantId, payload: { user: { id: randomUUID() } } });
  const logContext = (webhookId) => ({ webhookId, tenantId: world().tenantId, environmentId: world().server.environmentId });

  async function created(fields) {
    const { api, receiver, server } = world();
    const row = await api.postWebhooksConfiguration(form(receiver, fields));
    assertWebhook(row, server.environmentId);
    return row;
  }

  async function listed(id) {
    const rows = await world().api.getWebhooksConfigurations();
    assert.ok(Array.isArray(rows), 'the list is a bare array');
    return rows.find(({ _id }) => _id === id);
  }

  async function log(id, rows) {
    return eventually(async () => {
      const page = await world().api.getWebhookLog(id, 0, 50);
      return page.count >= rows && page;
    }, `${rows} rows in the log`);
  }

  it('reads the categories with their events', async () => {
    const { api, server } = world();
    const reply = await api.getCategories();
    assert.ok(Array.isArray(reply));
    for (const category of reply) assertCategory(category, server.environmentId);
    for (const { category, events } of categories) {
      const shown = reply.find(({ name }) => name === category);
      assert.ok(shown, `the category ${category} is missing`);
      const keys = shown.events.map(({ key }) => key);
      assert.deepEqual(
        events.map(({ key }) => key).filter((key) => !keys.includes(key)),
        [],
      );
    }
  });

  it('reads the events that webhooks may use, and an empty array for each channel that is not offered', async () => {
    const { api, server } = world();
    const reply = await api.getChannelMaps('webhook');
    assert.ok(Array.isArray(reply));
    for (const event of reply) assertChannelEvent(event, server.environmentId);
    const keys = new Set(reply.map(({ key }) => key));
    assert.deepEqual(
      eventTypes.filter(({ key }) => !keys.has(key)),
      [],
    );
    for (const channel of ['email', 'slack', 'sms']) assert.deepEqual(await api.getChannelMaps(channel), []);
  });

  it('creates a webhook and finds it in the list', async () => {
    const { receiver } = world();
    const fields = form(receiver, { secret: null, isActive: false, eventKeys: ['User Management.*', 'frontegg.tenant.created'] });
    const row = await created(fields);
    for (const name of ['displayName', 'description', 'url', 'secret', 'eventKeys', 'isActive']) {
      assert.deepEqual(row[name], fields[name], name);
    }
    assert.equal(row.invocations, 0);
    assert.deepEqual(await listed(row._id), row);
  });

  it('changes only what a PATCH names, whatever else the page sends along', async () => {
    const { api, server } = world();
    const row = await created();
    const noise = { groupEvents: [{ name: 'User', count: 2 }], totalEvents: 2, type: 'CUSTOM', __v: 0 };
    const changed = await api.postWebhooksConfiguration({ ...row, ...noise, isActive: false, displayName: 'Renamed' });
    assertWebhook(changed, server.environmentId);
    assert.deepEqual({ ...changed, updatedAt: null }, { ...row, isActive: false, displayName: 'Renamed', updatedAt: null });

    const again = await api.postWebhooksConfiguration({ _id: row._id, description: 'all else stays' });
    assert.deepEqual({ ...again, updatedAt: null }, { ...changed, description: 'all else stays', updatedAt: null });
    assert.deepEqual(await listed(row._id), again);
  });

  it('keeps signing with the secret after the row went back as it came', async () => {
    const { api, receiver } = world();
    const secret = 'kept over the round trip';
    const row = await created({ secret, isActive: false });
    await api.postWebhooksConfiguration({ ...(await listed(row._id)), isActive: true });
    await publish();
    const [delivery] = await receiver.deliveries(pathOf(row.url));
    verified(delivery, secret);
  });

  it('subscribes by key, by category template, by event id and by category id', async () => {
    const { api, receiver } = world();
    const category = (await api.getCategories()).find(({ name }) => name === 'User Management');
    const event = category.events.find(({ key }) => key === 'frontegg.user.created');
    const rows = [];
    for (const eventKeys of [[event.key], [`${category.name}.*`], [event.id], [category.id]]) {
      const row = await created({ eventKeys });
      assert.deepEqual(row.eventKeys, eventKeys, 'pages and Terraform compare what they wrote');
      rows.push(row);
    }
    await publish('frontegg.tenant.created');
    await publish('frontegg.user.created');
    for (const { url } of rows) {
      const [delivery] = await receiver.deliveries(pathOf(url));
      assert.equal(JSON.parse(delivery.body).eventKey, 'frontegg.user.created');
    }
  });

  it('tests a URL with values that were never saved', async () => {
    const { api, receiver } = world();
    const { url, secret } = form(receiver);
    receiver.answer(pathOf(url), () => ({ headers: { 'content-type': 'application/json' }, body: '{"got":"it"}' }));
    const reply = await api.postWebhookTest({ url, secret, payload: { ping: 1 } });
    assert.equal(reply.statusCode, 200);
    assert.match(JSON.stringify(reply.body), /got/);
    const [delivery] = await receiver.deliveries(pathOf(url));
    assert.deepEqual(verified(delivery, secret), { ping: 1 });
  });

  it('tests without a secret and without a payload: an example goes out, unsigned', async () => {
    const { api, receiver } = world();
    const { url } = form(receiver);
    const reply = await api.postWebhookTest({ url, secret: null });
    assert.equal(reply.statusCode, 200);
    assert.notEqual(reply.body ?? null, null, 'pages call toString on it');
    const [{ headers, body }] = await receiver.deliveries(pathOf(url));
    assert.equal(headers['x-webhook-secret'], undefined);
    assert.equal(typeof JSON.parse(body).eventKey, 'string');
  });

  it('says in a failed test what came back, or why nothing did', async () => {
    const { api, receiver } = world();
    const { url, secret } = form(receiver);
    receiver.answer(pathOf(url), () => ({ status: 500, body: 'out of order' }));
    const broken = await api.postWebhookTest({ url, secret, payload: {} });
    assert.equal(broken.statusCode, 500);
    assert.match(JSON.stringify(broken.body), /out of order/);

    const closed = await api.postWebhookTest({ url: await closedUrl(), secret, payload: {} });
    assert.equal(typeof closed.statusCode, 'number');
    assert.ok(closed.statusCode < 200 || closed.statusCode > 299, `${closed.statusCode} would be shown as success`);
    assert.match(JSON.stringify(closed.body), /refused/);
  });

  it('reads the log newest first and page by page', async () => {
    const { api, receiver } = world();
    const row = await created();
    assert.deepEqual(await api.getWebhookLog(row._id), { count: 0, rows: [] });
    const replies = ['', 'plain text', '{"json":true}'];
    receiver.answer(pathOf(row.url), (n) => ({ body: replies[n - 1] }));
    for (let sent = 1; sent <= replies.length; sent++) {
      await publish();
      await receiver.deliveries(pathOf(row.url), sent);
    }
    const all = await log(row._id, 3);
    assert.equal(all.count, 3);
    assert.equal(all.rows.length, 3);
    for (const entry of all.rows) {
      assertLogRow(entry, logContext(row._id));
      assert.equal(entry.statusCode, '200');
      assert.equal(entry.triggerType, 'EVENT');
    }
    const times = all.rows.map(({ createdAt }) => Date.parse(createdAt));
    assert.deepEqual(times, times.slice().sort((a, b) => b - a));
    assert.equal(new Set(all.rows.map(({ id }) => id)).size, 3);

    const second = await api.getWebhookLog(row._id, 1, 1);
    assert.equal(second.count, 3, 'count is the total, whatever the page');
    assert.deepEqual(second.rows, [all.rows[1]]);
    assert.deepEqual((await api.getWebhookLog(row._id, 3, 7)).rows, []);
    assert.equal((await listed(row._id)).invocations, 3);
  });

  it('shows refused deliveries and closed ports in the log', async () => {
    const { receiver } = world();
    const missing = await created();
    receiver.answer(pathOf(missing.url), () => ({ status: 404, body: '<h1>not here</h1>' }));
    const closed = await created({ url: await closedUrl() });
    await publish();
    const [notFound] = (await log(missing._id, 1)).rows.slice(-1);
    assertLogRow(notFound, logContext(missing._id));
    assert.equal(notFound.statusCode, '404');
    const [noAnswer] = (await log(closed._id, 1)).rows.slice(-1);
    assertLogRow(noAnswer, logContext(closed._id));
    assert.doesNotMatch(noAnswer.statusCode, /^[23]/, 'pages show 200 to 399 as success');
  });

  it('sends a delivery again from the log', async () => {
    const { api, receiver } = world();
    const row = await created();
    await publish();
    await receiver.deliveries(pathOf(row.url));
    const [first] = (await log(row._id, 1)).rows;
    const reply = await api.postWebhookRetry(first.id);
    assert.equal(reply.statusCode, 202);
    const [original, again] = await receiver.deliveries(pathOf(row.url), 2);
    assert.deepEqual(again.body, original.body);
    verified(again, 'a secret of some length');
    const { count, rows } = await log(row._id, 2);
    assert.equal(count, 2);
    for (const entry of rows) assertLogRow(entry, logContext(row._id));
    assert.deepEqual(
      rows.map(({ triggerType }) => triggerType),
      ['RETRY', 'EVENT'],
    );
  });

  it('deletes a webhook once, and says 404 from then on', async () => {
    const { api } = world();
    const row = await created();
    await api.deleteWebhooksConfiguration(row._id);
    assert.equal(await listed(row._id), undefined);
    await refused(api.deleteWebhooksConfiguration(row._id), 404);
    await refused(api.postWebhooksConfiguration({ ...row, displayName: 'gone' }), 404);
  });

  it('names the field that was wrong, and stores nothing', async () => {
    const { api, receiver } = world();
    const before = (await api.getWebhooksConfigurations()).length;
    const wrong = [
      [{ url: 'not a url' }, /url/i],
      [{ url: 'ftp://files.example.test/' }, /url|ftp/i],
      [{ url: 'http://10.0.0.1/internal' }, /10\.0\.0\.1/],
      [{ url: 'http://user:password@127.0.0.1/' }, /user|password|credential/i],
      [{ secret: 'short' }, /secret/i],
      [{ eventKeys: ['frontegg.user.creatd'] }, /frontegg\.user\.creat/],
      [{ displayName: 7 }, /displayName/],
      [{ eventKeys: 'frontegg.user.created' }, /eventKeys/],
      [{ isActive: 'yes' }, /isActive/],
    ];
    for (const [fields, message] of wrong) {
      const error = await refused(api.postWebhooksConfiguration(form(receiver, fields)), 400);
      assert.match(error.message, message);
    }
    assert.equal((await api.getWebhooksConfigurations()).length, before);
  });
}
