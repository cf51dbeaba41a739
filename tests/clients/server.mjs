// Starts the binary on a data folder of its own, or beside a database of its own where TEST_DATABASE_URL names a PostgreSQL, and speaks its native API for what the vendor's clients have no call for.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { eventually, within } from './deadline.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = path.resolve(root, process.env.TIDINGS_BIN ?? 'target/debug/tidings');

const postgres = process.env.TEST_DATABASE_URL;

/** Has the PostgreSQL make or drop a database. */
const psql = (statement) => promisify(execFile)('psql', [postgres, '--quiet', '--no-psqlrc', '--command', statement]);

/** An empty database of its own, if there is a PostgreSQL: the variable that names it, and how to be rid of it. */
async function ownDatabase() {
  if (!postgres) {
    return { variables: {}, drop: async () => {} };
  }
  const name = `tidings_${randomBytes(8).toString('hex')}`;
  await psql(`CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new RegExp('^(.*//[^/]*/)[^?]*(.*)$').exec(postgres);
  return {
    variables: { TIDINGS_DATABASE: `${url[1]}${name}${url[2]}` },
    drop: () => psql(`DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/**
 * A running server with one environment, `Development`, and one person, its `owner`; with none when `people` is false.
 * By default it delivers to plain http URLs on loopback, where the receivers of these tests are. `settings` are further
 * variables of its environment.
 */
export async function startServer({ egressAllow = ['127.0.0.0/8'], httpAllowed = true, people = true, settings = {} } = {}) {
  const data = await mkdtemp(path.join(tmpdir(), 'tidings-clients-'));
  const database = await ownDatabase();
  const clientId = randomUUID();
  const clientSecret = randomBytes(24).toString('base64url');
  const owner = people ? { email: 'owner@example.test', password: randomBytes(24).toString('base64url') } : undefined;
  const allow = egressAllow.flatMap((cidr) => ['--egress-allow', cidr]);
  // Settings of the person who runs the tests are not those of the server under test.
  const surroundings = Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_'));
  const child = spawn(binary, ['serve', '--data', data, '--listen', '127.0.0.1:0', ...allow], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(surroundings),
      TIDINGS_BOOTSTRAP_CLIENT_ID: clientId,
      TIDINGS_BOOTSTRAP_CLIENT_SECRET: clientSecret,
      ...(owner && { TIDINGS_BOOTSTRAP_ADMIN_EMAIL: owner.email, TIDINGS_BOOTSTRAP_ADMIN_PASSWORD: owner.password }),
      ...database.variables,
      ...settings,
    },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (log = (log + text).slice(-20_000)));
  }
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const gone = once(child, 'exit').then(([code, signal]) => ({ code, signal }));

  const server = {
    clientId,
    clientSecret,
    owner,
    /** The first thing that it printed and that matches. */
    printed: (pattern) => eventually(() => pattern.exec(log)?.[0], `the server to print ${pattern}`),
    /** Asks for a graceful stop, and insists that it was one. */
    async stop() {
      process.off('exit', killWithUs);
      child.kill('SIGTERM');
      const end = await within(gone, () => `the server to stop\n${log}`).finally(killWithUs);
      await rm(data, { recursive: true, force: true });
      await database.drop();
      assert.deepEqual(end, { code: 0, signal: null }, `the server did not stop by itself:\n${log}`);
    },
  };
  try {
    const died = gone.then((end) => {
      throw new Error(`the server ended before it was ready: ${JSON.stringify(end)}`);
    });
    const { url, pid } = await Promise.race([within(address(data), 'the address in server.json'), died]);
    assert.equal(pid, child.pid);
    server.url = url;
    server.native = native(url, clientId, clientSecret);
    await eventually(async () => (await fetch(`${url}/readyz`)).ok, 'GET /readyz to answer 200');
    const { data: environments } = await server.native.ok('GET', '/v1/environments');
    assert.deepEqual(
      environments.map(({ name }) => name),
      ['Development'],
    );
    server.environmentId = environments[0].id;
    if (httpAllowed) {
      await server.native.ok('PATCH', `/v1/environments/${server.environmentId}`, { settings: { httpAllowed: true } });
    }
  } catch (error) {
    killWithUs();
    throw new Error(`${error.message}\n${log}`, { cause: error });
  }
  return server;
}

/** What the server writes about itself once it listens. */
async function address(data) {
  const stopWatching = new AbortController();
  const file = path.join(data, 'server.json');
  // A file that is not there yet, or only half, is read again when the folder changes.
  const read = async () => JSON.parse(await readFile(file, 'utf8'));
  try {
    return await new Promise((resolve, reject) => {
      watch(data, { signal: stopWatching.signal }, () => read().then(resolve, () => {})).on('error', reject);
      read().then(resolve, () => {});
    });
  } finally {
    stopWatching.abort();
  }
}

/** The native API, with the client id and secret as HTTP Basic. */
function native(url, clientId, clientSecret) {
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;

  /** Any answer: its status and its parsed body. A string is sent as it is. */
  async function call(method, route, body) {
    const response = await fetch(url + route, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** The body of an answer that has to be a success. */
  async function ok(method, route, body) {
    const answer = await call(method, route, body);
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${route}: ${JSON.stringify(answer)}`);
    return answer.body;
  }

  return {
    call,
    ok,

    /** Creates a webhook that is active, and gives its id. */
    async createWebhook(fields) {
      const { status, body } = await call('POST', '/v1/webhooks', { active: true, ...fields });
      assert.equal(status, 201, JSON.stringify(body));
      assert.equal(typeof body.id, 'string');
      return body.id;
    },

    /** Publishes an event that has to be accepted, and gives its id. */
    async publish(event) {
      const { status, body } = await call('POST', '/v1/events', event);
      assert.equal(status, 202, JSON.stringify(body));
      assert.match(body.id, /^evt_[0-9a-z]{13}$/);
      return body.id;
    },

    /** A token that sees one tenant only. */
    async tenantToken(tenantId, scopes = ['read', 'write']) {
      const { token, expiresIn } = await ok('POST', `/v1/tenants/${tenantId}/tokens`, { scopes, ttlSeconds: 600 });
      assert.equal(typeof token, 'string');
      assert.equal(expiresIn, 600);
      return token;
    },
  };
}

/** A vendor token, as every Frontegg client gets one. */
export async function vendorToken({ url, clientId, clientSecret }) {
  const response = await fetch(`${url}/auth/vendor`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, secret: clientSecret }),
  });
  assert.equal(response.status, 200);
  return (await response.json()).token;
}
