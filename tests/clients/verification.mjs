// What a receiver does with a delivery before it believes it, with the libraries that receivers use.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import jwt from 'jsonwebtoken';
import { Webhook } from 'standardwebhooks';

/** Checks both signatures and the headers of a delivery, and gives its parsed body. */
export function verified({ method, headers, body }, secret) {
  assert.equal(method, 'POST');
  assert.match(headers['content-type'], /^application\/json(; *charset=utf-8)?$/i);
  assert.match(headers['user-agent'], /^Tidings\/\d+\.\d+\.\d+/i);
  assert.equal(headers['content-length'], String(body.length));

  // The documented call: no options.
  const claims = jwt.verify(headers['x-webhook-secret'], secret);
  assert.equal(jwt.decode(headers['x-webhook-secret'], { complete: true }).header.alg, 'HS256');
  assert.ok(claims.iat * 1000 <= Date.now(), 'some verifiers refuse a token from the future');
  assert.ok(claims.exp > claims.iat);
  assert.equal(claims.bodySha256, createHash('sha256').update(body).digest('hex'));
  assert.equal(claims.eventId, headers['webhook-id']);

  assert.doesNotMatch(headers['webhook-id'], /\./);
  return standardWebhook(secret).verify(body.toString('utf8'), headers);
}

/** The verifier for a secret: generated ones are base64, those that people chose are text. */
export function standardWebhook(secret) {
  return secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(new Uint8Array(Buffer.from(secret)), { format: 'raw' });
}
