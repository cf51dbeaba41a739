// What every suite stands on: a server with a portal, a receiver for what it delivers, a browser, and people who are signed in.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before } from 'node:test';

import { startReceiver } from '../clients/receiver.mjs';
import { startServer } from '../clients/server.mjs';
import { openProfile, startBrowser } from './browser.mjs';

/**
 * Registers the start and the end of a server, a receiver and a browser for the suite that calls it. After every test, the
 * pages that it opened are closed, and it fails when one of them did what no page may do.
 */
export function portalForThisSuite(options = {}) {
  const portal = new Portal();
  before(async () => {
    [portal.receiver, portal.server, portal.browser] = await Promise.all([startReceiver(), startServer(options), startBrowser()]);
  });
  afterEach(async () => {
    const opened = portal.opened.splice(0);
    await Promise.all(opened.map(({ profile }) => profile.close()));
    assert.deepEqual(
      opened.flatMap(({ complaints }) => complaints),
      [],
      'pages did what no page may do',
    );
  });
  after(async () => {
    await portal.browser?.close();
    await Promise.all([portal.receiver?.stop(), portal.server?.stop()]);
  });
  return portal;
}

class Portal {
  opened = [];
  people = 0;

  /** The address of the environment that a first start makes, from the root of the server. */
  get base() {
    return `/environments/${this.server.environmentId}`;
  }

  /** A page in a profile of its own, where nobody is signed in. Options are those of `openProfile`. */
  async stranger(options) {
    const opened = await openProfile(this.browser, this.server.url, options);
    this.opened.push(opened);
    return opened.profile.newPage();
  }

  /** A page in a profile of its own, where somebody is signed in: the owner, when nobody else is named. */
  async signedIn({ as = this.server.owner, ...options } = {}) {
    const page = await this.stranger(options);
    await signIn(page, as);
    return page;
  }

  /** Invites somebody on the page of people, and gives the link that the owner would hand to them. */
  async invite(email, role) {
    const page = await this.signedIn();
    await page.goto('/people');
    await page.getByLabel('Email').fill(email);
    await page.getByRole('radio', { name: role }).check();
    await page.getByRole('button', { name: 'Invite' }).click();
    return page.getByLabel('Works once').inputValue();
  }

  /** Somebody new with that role, who has chosen a password: what they sign in with. */
  async person(role) {
    const person = { email: `${role}-${this.people++}@example.test`, password: randomBytes(12).toString('base64url') };
    const page = await this.stranger();
    await page.goto(await this.invite(person.email, role));
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL('**/environments');
    return person;
  }
}

/** Signs in by the form. */
export async function signIn(page, { email, password }) {
  await page.goto('/signin');
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/environments');
}

/** The hidden field that proves that a form comes from a page of this visit. */
export const csrfOf = (page) => page.locator('input[name="csrf"]').first().inputValue();
