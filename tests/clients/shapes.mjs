// The shapes that the vendor's clients rely on, down to what is a number and what is a string.

import assert from 'node:assert/strict';

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

/** A row of the list of webhooks, and the reply to creating or changing one. */
export function assertWebhook(row, environmentId) {
  assert.equal(typeof row._id, 'string');
  assert.notEqual(row._id, '');
  assert.equal(typeof row.displayName, 'string');
  assert.equal(typeof row.description, 'string');
  assert.equal(typeof row.url, 'string');
  assert.ok(row.secret === null || typeof row.secret === 'string');
  assert.ok(Array.isArray(row.eventKeys));
  assert.ok(row.eventKeys.every((key) => typeof key === 'string'));
  assert.equal(typeof row.isActive, 'boolean');
  assert.equal(row.type, 'CUSTOM');
  assert.equal(row.vendorId, environmentId);
  assert.equal(typeof row.invocations, 'number');
  assert.match(row.createdAt, ISO_TIME);
  assert.match(row.updatedAt, ISO_TIME);
}

/** A row of a webhook's log. */
export function assertLogRow(row, { webhookId, tenantId, environmentId }) {
  assert.equal(typeof row.id, 'string');
  assert.equal(row.webhookId, webhookId);
  assert.equal(row.tenantId, tenantId);
  assert.equal(row.vendorId, environmentId);
  assert.equal(typeof row.statusCode, 'string', 'the log shows its status as text');
  assert.equal(typeof row.body, 'string');
  assert.doesNotThrow(() => JSON.parse(row.body), `pages feed the body of a log row to JSON.parse: ${row.body}`);
  assert.match(row.createdAt, ISO_TIME);
  assert.ok(['EVENT', 'RETRY'].includes(row.triggerType));
}

/** A category of the catalogue, with its events. */
export function assertCategory(category, environmentId) {
  assertMain(category, environmentId);
  assert.equal(typeof category.name, 'string');
  assert.ok(Array.isArray(category.events));
  for (const event of category.events) {
    assertMain(event, environmentId);
    assert.equal(typeof event.key, 'string');
    assert.equal(typeof event.displayName, 'string');
    assert.equal(typeof event.description, 'string');
    assert.equal(event.categoryId, category.id);
  }
}

/** An event that a channel may use. */
export function assertChannelEvent(event, environmentId) {
  assertMain(event, environmentId);
  assert.equal(typeof event.key, 'string');
  assert.equal(typeof event.displayName, 'string');
  assert.equal(typeof event.description, 'string');
  assertMain(event.category, environmentId);
  assert.equal(typeof event.category.name, 'string');
  assert.equal(event.categoryId, event.category.id);
}

/** An error body that every generation of clients can read. */
export function assertErrorBody(body, status) {
  assert.equal(body.statusCode, status);
  assert.equal(typeof body.error, 'string');
  assert.equal(typeof body.message, 'string');
  assert.ok(Array.isArray(body.errors) && body.errors.length > 0);
  assert.ok(body.errors.every((error) => typeof error === 'string' && error !== ''));
}

function assertMain(row, environmentId) {
  assert.equal(typeof row.id, 'string');
  assert.equal(row.vendorId, environmentId);
  assert.match(row.createdAt, ISO_TIME);
  assert.match(row.updatedAt, ISO_TIME);
}
