// When a receiver fails: what went wrong is understood, mended and sent again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { eventually } from '../../clients/deadline.mjs';
import { deliveryTo } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { resendMany } from '../steps.mjs';

/** Seconds until a failed delivery is tried again: longer than any test, so that nothing arrives that a test did not ask for. */
const NEVER_SECONDS = 3_600;

/** What breaks commands that quote carelessly. */
const AWKWARD = 'it\'s "so" $(exit 1) `exit 1` \\ ! * é\n%20 & end';

describe('a failing webhook', () => {
  const portal = portalForThisSuite();

  before(async () => {
    const settings = { retrySchedule: [0, NEVER_SECONDS] };
    await portal.server.native.ok('PATCH', `/v1/environments/${portal.server.environmentId}`, { settings });
  });

  /** A webhook with a path of its own, whose receiver answers as told, and a first delivery to it. */
  async function delivered(answer, fields = {}) {
    const { receiver, server } = portal;
    const path = `/${randomUUID()}`;
    receiver.answer(path, answer);
    const tenantId = randomUUID();
    const id = await server.native.createWebhook({
      name: 'Orders',
      url: receiver.url(path),
      eventKeys: ['frontegg.user.updated'],
      tenantId,
      ...fields,
    });
    const publish = (payload = { user: { id: 'u-1' } }) => server.native.publish({ eventKey: 'frontegg.user.updated', tenantId, payload });
    return { id, path, publish, page: `${portal.base}/webhooks/${id}` };
  }

  /** Copies the command of the first attempt from the page of a delivery, runs it as somebody who pastes it into a shell, and gives it. */
  async function sendByHand({ id }) {
    const delivery = await deliveryTo(portal.server, id, ({ attempts }) => attempts > 0);
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/deliveries/${delivery.id}`);
    await page.getByRole('button', { name: 'Copy as curl' }).first().click();
    const command = await eventually(async () => page.evaluate(() => navigator.clipboard.readText()), 'the command on the clipboard');
    const shell = promisify(execFile)('bash', ['-eu', '-o', 'pipefail'], { timeout: 20_000 });
    shell.child.stdin.end(command);
    await shell;
    return command;
  }

  const BROKEN = () => ({ status: 503, headers: { 'content-type': 'application/json' }, body: '{"error":"the database is read-only"}' });

  it('says what came back, why that is a failure and when it is tried again, and is sent again once the receiver works', async () => {
    const webhook = await delivered(BROKEN);
    await webhook.publish();
    const { id } = await deliveryTo(portal.server, webhook.id, ({ status }) => status === 'retrying');

    const page = await portal.signedIn();
    await page.goto(`${portal.base}/webhooks?state=trouble`);
    await page.getByRole('link', { name: 'Orders' }).click();
    assert.match(await page.getByRole('main').innerText(), /Failing since/);
    await page.getByRole('link', { name: 'frontegg.user.updated' }).click();
    await page.waitForURL(`**/deliveries/${id}`);
    const log = await page.getByRole('main').innerText();
    assert.match(log, /503/);
    assert.match(log, /the database is read-only/);
    assert.match(log, /retrying/);
    assert.match(log, /begins in (\d\d min|1 h)/, 'when it is tried again');

    portal.receiver.answer(webhook.path, () => ({ status: 200, body: 'thank you' }));
    await page.getByRole('button', { name: 'Resend' }).click();
    const [first, again] = await portal.receiver.deliveries(webhook.path, 2);
    assert.deepEqual(again.body, first.body);
    assert.equal(again.headers['webhook-id'], first.headers['webhook-id'], 'receivers can tell that it is the same event');
    await deliveryTo(portal.server, webhook.id, ({ status }) => status === 'delivered');
    await page.goto(webhook.page);
    await page.getByRole('row').filter({ hasText: 'delivered' }).first().waitFor();
  });

  it('gives a curl command that a shell runs as it is, and that the receiver takes', async () => {
    const webhook = await delivered(BROKEN, { headers: { 'x-team': AWKWARD.replace(/[\né]/g, ' ') } });
    await webhook.publish({ note: AWKWARD });
    assert.match(await sendByHand(webhook), /^curl /);
    const [sent, byHand] = await portal.receiver.deliveries(webhook.path, 2);
    assert.equal(byHand.method, 'POST');
    assert.equal(byHand.body.toString(), sent.body.toString());
    assert.equal(JSON.parse(byHand.body).note, AWKWARD);
    assert.equal(byHand.headers['content-type'], sent.headers['content-type']);
    assert.equal(byHand.headers['x-team'], sent.headers['x-team']);
  });

  it('gives a curl command also for a body that is longer than an argument may be', async () => {
    const webhook = await delivered(BROKEN);
    const payload = { notes: Array(3_000).fill(AWKWARD) };
    await webhook.publish(payload);
    await sendByHand(webhook);
    const [sent, byHand] = await portal.receiver.deliveries(webhook.path, 2);
    assert.ok(sent.body.length > 128 * 1024, `it has only ${sent.body.length} bytes`);
    assert.ok(byHand.body.equals(sent.body));
    assert.equal(byHand.headers['content-type'], sent.headers['content-type']);
  });

  it('gets all that it missed at once, by a job that shows how far it is', async () => {
    await portal.server.native.ok('PATCH', `/v1/environments/${portal.server.environmentId}`, { settings: { retrySchedule: [0] } });
    const webhook = await delivered(BROKEN);
    const missed = 3;
    for (let number = 1; number <= missed; number++) await webhook.publish({ number });
    await portal.receiver.deliveries(webhook.path, missed);
    await eventually(async () => {
      const { data } = await portal.server.native.ok('GET', `/v1/deliveries?webhookId=${webhook.id}&status=exhausted`);
      return data.length === missed;
    }, 'deliveries that are exhausted');
    portal.receiver.answer(webhook.path, () => ({}));

    const page = await portal.signedIn();
    await resendMany(page, `${portal.base}/deliveries?status=exhausted&webhook=${webhook.id}`);
    const arrived = (await portal.receiver.deliveries(webhook.path, 2 * missed)).slice(missed);
    const numbers = arrived.map(({ body }) => JSON.parse(body).number).sort((a, b) => a - b);
    assert.deepEqual(numbers, [1, 2, 3], 'each of them, once');
    await page.getByText(`${missed} of ${missed}`).waitFor();
    await page.getByRole('status').filter({ hasText: /done/i }).waitFor();
    await page.goto(`${portal.base}/jobs`);
    await page
      .getByRole('row')
      .filter({ hasText: `${missed} of ${missed}` })
      .waitFor();
  });

  it('is told apart from one that nobody could reach, in plain words', async () => {
    const webhook = await delivered(() => ({}), { url: 'http://127.0.0.1:1/nobody' });
    await webhook.publish();
    const { id } = await deliveryTo(portal.server, webhook.id, ({ attempts }) => attempts > 0);
    const page = await portal.signedIn();
    await page.goto(`${portal.base}/deliveries/${id}`);
    assert.match(await page.getByRole('main').innerText(), /refused/i);
  });

  it('gets nothing while somebody has disabled it, and everything again afterwards', async () => {
    const webhook = await delivered(() => ({}));
    const page = await portal.signedIn();
    page.on('dialog', (dialog) => dialog.accept());
    const active = async () => (await portal.server.native.ok('GET', `/v1/webhooks/${webhook.id}`)).active;
    await page.goto(webhook.page);
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('button', { name: 'Enable' }).waitFor();
    assert.equal(await active(), false);
    await webhook.publish({ while: 'disabled' });
    await page.goto(webhook.page);
    assert.match(await page.getByRole('main').innerText(), /Disabled/);
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Disable' }).waitFor();
    assert.equal(await active(), true);
    await webhook.publish({ while: 'enabled' });
    const [first] = await portal.receiver.deliveries(webhook.path);
    assert.equal(JSON.parse(first.body).while, 'enabled');
  });

  it('signs with both secrets while one is rotated', async () => {
    const webhook = await delivered(() => ({}), { generateSecret: true });
    const secret = async () => (await portal.server.native.ok('GET', `/v1/webhooks/${webhook.id}/secret`)).secret;
    const before = await secret();
    await webhook.publish();
    const page = await portal.signedIn();
    page.on('dialog', (dialog) => dialog.accept());
    await page.goto(`${webhook.page}/settings`);
    await page.getByRole('button', { name: 'Rotate the secret' }).click();
    await page.getByRole('status').first().waitFor();
    const after = await secret();
    assert.notEqual(after, before);
    await webhook.publish();
    const [one, two] = await portal.receiver.deliveries(webhook.path, 2);
    assert.equal(one.headers['webhook-signature'].split(' ').length, 1);
    assert.equal(two.headers['webhook-signature'].split(' ').length, 2);
  });
});
