// Words of others are shown as words: whatever somebody writes into a field, sends in an event or answers as a receiver, no page
// takes it for a part of itself. Browsers here do not hold the pages' policy: nothing but the pages keeps a planted script still.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { CHANGES, UNLINKED_PAGES, UNLINKED_QUERIES, addressOf, rowOf } from '../addresses.mjs';
import { deliveryTo } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';
import { read, walk } from '../walk.mjs';

/** What ends attributes and elements, in texts of any kind, and then runs in three ways. No white space, because some texts have none. */
const seed = (name) => `"'></textarea></script><xss-planted/n=${name}><svg/onload=planted()><img/src=""onerror=planted()>`;

/** As much of it as fits into a text of 64 characters. */
const seedling = (name) => `"'><xss-planted/n=${name}><svg/onload=planted()>`;

/** A JSON value whose names and texts are seeds. */
const sown = (name) => ({ [seed(`${name}-key`)]: [seed(`${name}-text`), { deep: seed(`${name}-deep`) }] });

/** Forms whose texts do something to the person who sends them that the next form would suffer from. */
const NOT_SOWN = ['/account/password'];

describe('what somebody planted', () => {
  const portal = portalForThisSuite();
  let ids, storageState;

  before(async () => {
    ids = await plantByTheApi(portal);
    const opened = await portal.signedIn({ userAgent: seed('agent') });
    storageState = await opened.context().storageState();
    ids.person = await plantPeople(opened);
  });

  /** A page without its policy, and a list of what ran in it that nobody of us wrote. */
  async function bare() {
    const page = await portal.stranger({ storageState, bypassCSP: true });
    const ran = [];
    await page.exposeFunction('planted', () => ran.push(page.url()));
    page.on('dialog', (dialog) => {
      ran.push(`${page.url()}: ${dialog.message()}`);
      return dialog.dismiss();
    });
    return { page, ran };
  }

  const beginnings = () => [
    '/environments',
    ...Object.keys(UNLINKED_PAGES).map((row) => addressOf(row, ids) + UNLINKED_QUERIES[row]),
    ...['webhook', 'delivery', 'event'].map(
      (kind) => `${portal.base}/${{ webhook: 'webhooks', delivery: 'deliveries', event: 'events' }[kind]}/${ids[kind]}`,
    ),
    `${portal.base}/webhooks/${ids.webhook}/settings`,
    `${portal.base}/catalogue/${ids.key}`,
  ];

  /** Addresses that say a seed themselves. */
  const asking = () => {
    const text = encodeURIComponent(seed('address'));
    const asked = [
      'q',
      'tenant',
      'eventKey',
      'status',
      'webhook',
      'from',
      'to',
      'before',
      'actor',
      'environment',
      'state',
      'category',
      'live',
      'span',
      'language',
      'step',
    ];
    const lists = [
      '',
      '/webhooks',
      '/deliveries',
      '/events',
      '/catalogue',
      `/webhooks/${ids.webhook}`,
      `/webhooks/${ids.webhook}/done`,
      '/events/send',
    ];
    const queries = asked.map((name) => `${name}=${text}`);
    return [
      ...[...lists.map((list) => portal.base + list), '/audit'].flatMap((list) => queries.map((query) => `${list}?${query}`)),
      ...[
        '/environments/',
        `${portal.base}/`,
        `${portal.base}/webhooks/`,
        `${portal.base}/deliveries/`,
        `${portal.base}/events/`,
        `${portal.base}/catalogue/`,
      ].map((path) => path + text),
      `/signin?back=${text}`,
      `/setup?token=${text}`,
      `/invitation?token=${text}`,
      `/signin?${text}=1&${text}=2`,
      `${portal.base}/webhooks/new/details?eventKeys=${text}&name=${text}&url=${text}`,
      `${portal.base}/events/send?eventKey=${text}&tenantId=${text}`,
    ];
  };

  it('is shown as text on every page, and nothing of it runs', async () => {
    const { page, ran } = await bare();
    await page.goto('/environments');
    const shown = new Set();
    for (const { address, planted } of await walk(page, beginnings())) {
      assert.equal(planted, 0, `${address} has an element of somebody else`);
      await page.goto(address);
      const names = await page.evaluate(() => {
        const values = [...document.querySelectorAll('input, textarea')].map(({ value }) => value);
        const titles = [...document.querySelectorAll('[title]')].map(({ title }) => title);
        const texts = [document.body.textContent, ...values, ...titles].join('\n');
        return [...texts.matchAll(/<xss-planted\/n=([\w-]+)>/g)].map(([, name]) => name);
      });
      for (const name of names) shown.add(name);
      assert.equal(await page.locator('xss-planted').count(), 0, address);
    }
    // The palette reads what links say, and copies it.
    await page.goto(`${portal.base}/webhooks`);
    await page.keyboard.press('Control+K');
    await page.getByRole('combobox', { name: 'Go to' }).fill('n=webhook');
    await page.locator('#palette-list').getByText('xss-planted/n=webhook').first().waitFor();
    assert.deepEqual(ran, []);
    assert.deepEqual(
      PLANTED.filter((name) => !shown.has(name)),
      [],
      'planted, and on no page as text',
    );
  });

  it('in an address is refused or looked for, as text', async () => {
    const { page, ran } = await bare();
    await page.goto('/environments');
    let said = 0;
    for (const address of asking()) {
      const answer = await page.request.get(address);
      const html = await answer.text();
      assert.ok(answer.status() < 500, `${address}: ${answer.status()}`);
      const { planted } = await read(page, html, portal.server.url);
      assert.equal(planted, 0, address);
      if (html.includes('xss-planted')) said += 1;
    }
    assert.ok(said > 30, `only ${said} pages said what was asked for`);
    await page.goto(`${portal.base}/deliveries?tenant=${encodeURIComponent(seed('address'))}`);
    await page.goto(`${portal.base}/webhooks?q=${encodeURIComponent(seed('address'))}`);
    assert.deepEqual(ran, []);
  });

  it('in any field of any form comes back as text', async () => {
    const { page, ran } = await bare();
    await page.goto('/account');
    const csrf = await page.locator('input[name="csrf"]').first().inputValue();
    const found = (await walk(page, beginnings())).flatMap(({ forms }) => forms).filter(({ texts }) => texts.length > 0);
    const forms = new Map(found.map((form) => [rowOf(form.action), form]));
    for (const [row, form] of forms) {
      assert.ok(CHANGES[row], row);
      if (NOT_SOWN.includes(row)) continue;
      const fields = [
        ...form.fields.filter(([name]) => !form.texts.includes(name)),
        ...form.texts.map((name) => [name, seed(name)]),
        ['csrf', csrf],
      ];
      const answer = await page.request.post(form.action, {
        data: new URLSearchParams(fields).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
      assert.ok(answer.status() < 500, `${row}: ${answer.status()}`);
      const { planted } = await read(page, await answer.text(), portal.server.url);
      assert.equal(planted, 0, row);
    }
    assert.ok(forms.size > 10, `only ${[...forms.keys()]}`);
    assert.deepEqual(ran, []);
  });
});

/** What is planted, by name: each has to be seen as text on some page. */
const PLANTED = [
  ...['webhook', 'description', 'header', 'tenant', 'category', 'type', 'meaning', 'credential', 'environment', 'person', 'agent'],
  ...['event-key', 'event-text', 'event-deep', 'user', 'application', 'example-key', 'example-text', 'reply-header', 'reply-type', 'reply'],
];

async function plantByTheApi({ server, receiver }) {
  const { native } = server;
  const { href, pathname, search } = new URL(receiver.url(`/sown?${seed('url')}`));
  receiver.answer(pathname + search, () => ({
    status: 500,
    headers: { 'content-type': `text/html; ${seed('reply-type')}`, 'x-planted': seed('reply-header') },
    body: `<!doctype html>${seed('reply')}<script>planted()</script>`,
  }));
  const key = 'planted.thing';
  await native.ok('POST', '/v1/event-types', {
    key,
    displayName: seed('type'),
    category: seedling('category'),
    description: seed('meaning'),
    example: sown('example'),
  });
  const webhook = await native.createWebhook({
    name: seed('webhook'),
    description: seed('description'),
    url: href,
    eventKeys: [key],
    tenantId: seed('tenant'),
    headers: { 'x-planted': seed('header') },
  });
  await native.ok('POST', '/v1/environments', { name: seed('environment') });
  await native.ok('POST', `/v1/environments/${server.environmentId}/credentials`, { name: seed('credential'), scopes: ['read'] });
  const event = await native.publish({
    eventKey: key,
    tenantId: seed('tenant'),
    userId: seed('user'),
    applicationId: seed('application'),
    payload: sown('event'),
  });
  const delivery = await deliveryTo(server, webhook, ({ attempts }) => attempts > 0);
  return { environment: server.environmentId, key, webhook, event, delivery: delivery.id };
}

/** Somebody whose address is a seed, and gives it. */
async function plantPeople(page) {
  const email = `${seed('person')}@example.test`;
  await page.goto('/people');
  const csrf = await page.locator('input[name="csrf"]').first().inputValue();
  const answer = await page.request.post('/people', { form: { csrf, email, role: 'viewer' } });
  assert.equal(answer.status(), 200, await answer.text());
  return email;
}
