// A server as it comes: https only, and nothing inside private networks, whoever asks and by whatever spelling.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { connectivityApi, form, refused } from '../connectivity.mjs';
import { startReceiver } from '../receiver.mjs';
import { startServer, vendorToken } from '../server.mjs';

const FORBIDDEN = [
  'https://127.0.0.1/',
  'https://localhost/',
  'https://localhost./',
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://100.64.0.1/',
  'https://0.0.0.0/',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://0177.0.0.1/',
  'https://[::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[fd00::1]/',
  'https://[fe80::1]/',
];

describe('an address that nobody let in', () => {
  let server, receiver, api;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer({ egressAllow: [], httpAllowed: false });
    api = connectivityApi(server, { token: await vendorToken(server) });
  });
  after(async () => {
    await receiver?.stop();
    await server?.stop();
  });

  /** The test button may refuse the URL, or report a test that failed; it never shows a reply from inside. */
  async function testFails(url) {
    const reply = await api.postWebhookTest({ url, secret: null, payload: {} }).catch((error) => error);
    assert.equal(typeof reply.statusCode, 'number');
    // 0 stands for no answer at all: nothing was sent.
    assert.ok(reply.statusCode === 0 || reply.statusCode >= 400, `${url}: ${reply.statusCode}`);
  }

  for (const url of FORBIDDEN) {
    it(`${url} is refused when a webhook is created and when it is tested`, async () => {
      await refused(api.postWebhooksConfiguration(form(receiver, { url })), 400);
      await testFails(url);
    });
  }

  it('plain http is refused, and the message says so', async () => {
    const error = await refused(api.postWebhooksConfiguration(form(receiver, { url: 'http://192.0.2.1/' })), 400);
    assert.match(error.message, /https/);
  });

  it('a receiver on loopback never hears of a test', async () => {
    await testFails(receiver.url('/inside'));
    assert.deepEqual(receiver.received('/inside'), []);
  });

  it('nothing was stored of what was refused', async () => {
    assert.deepEqual(await api.getWebhooksConfigurations(), []);
  });
});
