// The steps of the walk as a person takes them: by what pages show, with and without scripts.

/** From the list of environments to the list of webhooks of one, by its cards. */
export async function toWebhooks(page, environment) {
  await page.goto('/environments');
  await page.getByRole('link', { name: `Hooks of ${environment}` }).click();
  await page.waitForURL('**/hooks');
  await page
    .getByRole('main')
    .getByRole('link', { name: /^Webhooks/ })
    .click();
  await page.waitForURL('**/webhooks');
}

/** Steps 1 and 2 of a new webhook: its events by their keys, and its details. Ends at step 3, and gives the webhook's id. */
export async function addWebhook(page, { events, name, url, secret }) {
  await page.getByRole('link', { name: 'Add new hook' }).first().click();
  await page.waitForURL('**/webhooks/new');
  for (const key of events) await page.locator(`input[type=checkbox][value="${key}"]`).check();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL('**/webhooks/new/details?*');
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('URL', { exact: true }).fill(url);
  if (secret) await page.getByLabel('Secret (recommended)').fill(secret);
  else await page.getByRole('button', { name: 'Generate' }).click();
  await page.getByRole('button', { name: 'Create and test' }).click();
  await page.waitForURL('**/test?step=1');
  return /wh_[0-9a-z]+/.exec(page.url())[0];
}

/** Sends the test that a page offers, and gives what the page says of it once that begins with `words`. */
export async function sendTest(page, words) {
  await page.getByRole('button', { name: 'Send test' }).click();
  const verdict = page.getByRole('region', { name: 'Result' });
  await verdict.getByText(words).waitFor();
  return verdict.innerText();
}

/** Sends an event of that type with its example by the form. Ends at the page of the event. */
export async function sendEvent(page, base, key) {
  await page.goto(`${base}/events/send?eventKey=${key}`);
  await page.getByRole('button', { name: 'Send event' }).click();
  await page.waitForURL('**/events/evt_*');
}

/** Sends again all deliveries that the filters in that address show. Ends at the page of the job, and gives its id. */
export async function resendMany(page, address) {
  await page.goto(address);
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: /^Resend (it|all)/ }).click();
  await page.waitForURL('**/jobs/*');
  return page.url().split('/').at(-1);
}
