// Environments: the walls between Development, QA and Production, and what passes them when one is copied.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';

import { furnish } from '../furniture.mjs';
import { portalForThisSuite } from '../portal.mjs';

describe('an environment', () => {
  const portal = portalForThisSuite();
  let ids;

  before(async () => {
    ids = await furnish(portal);
    await portal.server.native.ok('PATCH', `/v1/environments/${ids.environment}`, { settings: { timeoutMs: 7_000 } });
  });

  const environments = async () => (await portal.server.native.ok('GET', '/v1/environments')).data;
  const named = async (name) => (await environments()).find((environment) => environment.name === name);

  it('is copied without its webhooks, and the page says so before and after', async () => {
    const page = await portal.signedIn();
    await page.getByRole('link', { name: 'Copy Development' }).click();
    await page.waitForURL('**/copy');
    const will = page.getByRole('region', { name: 'Will be copied', exact: true });
    assert.match(await will.innerText(), new RegExp(ids.key));
    assert.match(await will.innerText(), /7 s/);
    const willNot = await page.getByRole('region', { name: 'Will not be copied' }).innerText();
    for (const word of ['Webhooks', 'Secrets', 'Credentials', 'History']) assert.match(willNot, new RegExp(word));
    assert.match(willNot, /3 webhooks/);
    assert.match(await page.getByRole('main').innerText(), /Webhooks are not copied/);

    await page.getByLabel('Name of the new environment').fill('QA');
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('heading', { name: 'Development is copied to QA' }).waitFor();
    assert.match(await page.getByRole('region', { name: 'Not copied' }).innerText(), /3 webhooks/);

    const made = await named('QA');
    assert.equal(made.settings.timeoutMs, 7_000);
    await page.getByRole('link', { name: 'Go to QA' }).click();
    await page.goto(`/environments/${made.id}/webhooks`);
    await page.getByRole('heading', { name: 'No webhooks yet' }).waitFor();
    const answer = await page.goto(`/environments/${made.id}/catalogue/${ids.key}`);
    assert.equal(answer.status(), 200);
    assert.equal((await page.goto(`/environments/${made.id}/webhooks/${ids.webhook}`)).status(), 404);
  });

  it('copied into one that is there shows what changes there', async () => {
    const page = await portal.signedIn();
    await page.getByLabel('Name').fill('Staging');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.waitForURL('**/hooks');
    await page.goto(`${portal.base}/copy`);
    await page.getByLabel('Environment', { exact: true }).selectOption('Staging');
    await page.getByText('instead of:').first().waitFor();
    await page.getByLabel('Name of the new environment').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await page.getByRole('heading', { name: 'Development is copied to Staging' }).waitFor();
    assert.equal((await named('Staging')).settings.timeoutMs, 7_000);
  });

  it('is not made twice under one name, and the form says why where it is wrong', async () => {
    const page = await portal.signedIn();
    await page.getByLabel('Name').fill('Development');
    await page.getByRole('button', { name: 'Create' }).click();
    const wrong = page.locator('#name-wrong:not(:empty), [role=alert]');
    await wrong.first().waitFor();
    assert.equal(await page.getByLabel('Name').inputValue(), 'Development');
    assert.equal((await environments()).filter(({ name }) => name === 'Development').length, 1);
  });

  /** Two people with the settings of an environment in front of them, and what the API says of it. */
  async function twoAtSettings(name) {
    const { id } = await portal.server.native.ok('POST', '/v1/environments', { name });
    const pages = [await portal.signedIn(), await portal.signedIn()];
    for (const page of pages) await page.goto(`/environments/${id}/settings`);
    return { pages, stored: async () => (await environments()).find((environment) => environment.id === id) };
  }

  const DEADLINE = 'Deadline of one attempt, in seconds';

  async function save(page, field, value) {
    await page.getByLabel(field).fill(value);
    const answer = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name: 'Save settings' }).click();
    return (await answer).status();
  }

  it('keeps what two people change at the same time, when they change different settings', async () => {
    const { pages, stored } = await twoAtSettings('Shared');
    const [one, other] = pages;
    assert.equal(await save(one, DEADLINE, '7'), 303);
    assert.equal(await save(other, 'Days that events', '9'), 303);
    const { settings } = await stored();
    assert.deepEqual([settings.timeoutMs, settings.retentionDays], [7_000, 9]);
  });

  it('is not overwritten by somebody who has not seen what is different', async () => {
    const { pages, stored } = await twoAtSettings('Contested');
    const [one, other] = pages;
    await save(one, DEADLINE, '7');
    await one.getByRole('status').waitFor();
    await save(one, 'Days that events', '9');
    assert.equal(await save(other, DEADLINE, '8'), 409);
    const said = await other.getByRole('alert').innerText();
    assert.match(said, /somebody changed these settings after you opened them; nothing was saved/);
    assert.match(said, /Deadline of one attempt is now\s+7 s\b/);
    assert.doesNotMatch(said, /Days/, 'only what both changed');
    assert.equal(await other.getByLabel(DEADLINE).inputValue(), '8', 'nobody has to type it again');
    assert.equal((await stored()).settings.timeoutMs, 7_000);
    assert.equal(await save(other, DEADLINE, '8'), 303, 'now they have seen it');
    const { settings } = await stored();
    assert.deepEqual([settings.timeoutMs, settings.retentionDays], [8_000, 9]);
  });

  it('is deleted only by somebody who types its name', async () => {
    const page = await portal.signedIn();
    await page.getByLabel('Name').fill('Short-lived');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.waitForURL('**/hooks');
    const { id } = await named('Short-lived');
    for (const [typed, left] of [
      ['Something else', true],
      ['Short-lived', false],
    ]) {
      await page.goto(`/environments/${id}/settings`);
      await page.getByLabel('to confirm').fill(typed);
      await page.getByRole('button', { name: 'Delete' }).click();
      await page.locator('#confirm-wrong:not(:empty), [role=status]:has-text("deleted")').waitFor();
      assert.equal((await named('Short-lived')) !== undefined, left, typed);
    }
    assert.equal(new URL(page.url()).pathname, '/environments');
  });
});
