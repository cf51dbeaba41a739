// One Chromium, and pages in it that are watched: whatever a page does that it should not is a complaint.

import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const screenshots = path.join(root, 'target/screenshots');
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The widths, in CSS pixels, at which every page is looked at: a desk and a phone. */
export const WIDTHS = [1440, 390];
const HEIGHT = 900;
const THEMES = ['light', 'dark'];

const QUIET = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Milliseconds after which a page that does not do what was awaited has failed; generous, because a slow machine is no failure. */
const PATIENCE_MS = 15_000;

/** Starts the browser that `CHROMIUM` names, or Debian's. */
export async function startBrowser() {
  // Chromium refuses its sandbox to root, which is who runs tests in containers.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--disable-gpu', ...QUIET, ...sandbox],
  });
}

/**
 * A browser profile of its own, for pages of the server at `origin`. `complaints` collects what no page may do: errors on the
 * console, exceptions, answers of 500 and above, requests to anybody else, and violations of the page's security policy.
 */
export async function openProfile(browser, origin, { width = WIDTHS[0], theme = 'light', ...options } = {}) {
  const profile = await browser.newContext({
    baseURL: origin,
    viewport: { width, height: HEIGHT },
    colorScheme: theme,
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  profile.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  const complain = (page, what) => complaints.push(`${page}: ${what}`);
  await profile.exposeBinding('tidingsPolicyViolated', ({ page }, what) => complain(page.url(), `policy violated: ${what}`));
  await profile.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.tidingsPolicyViolated(`${event.effectiveDirective} by ${event.blockedURI} ${event.sample}`);
    });
  });
  profile.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:') complain(request.frame().url(), `asked another host: ${url}`);
  });
  // A page that is an answer of 4xx is an answer; Chromium reports it on the console all the same.
  const refusals = new Set();
  profile.on('response', (response) => {
    if (response.status() >= 500) complain(response.url(), `answered ${response.status()}`);
    if (response.status() >= 400 && response.request().isNavigationRequest()) refusals.add(response.url());
  });
  profile.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    const { url } = message.location();
    if (message.text().startsWith('Failed to load resource') && refusals.has(url)) return;
    complain(message.page()?.url(), `${message.type()} on the console: ${message.text()} (${url})`);
  });
  profile.on('weberror', (error) => complain(error.page()?.url(), `exception: ${error.error()}`));
  return { profile, complaints };
}

/** Fails with the serious and critical violations that axe finds on the page, and the elements that have them. */
export async function assertAccessible(page) {
  // Evaluated by the debugger, which the page's security policy does not hold for.
  await page.evaluate(axeSource);
  const violations = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => ({
        id,
        help,
        at: nodes.map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary}`),
      }));
  });
  const words = violations.map(({ id, help, at }) => `${id}: ${help}\n    ${at.join('\n    ')}`);
  assert.deepEqual(words, [], `axe finds on ${page.url()}:\n${words.join('\n')}`);
}

/** Fails when the page is wider than its window. */
async function assertFits(page) {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return null;
    const beyond = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > clientWidth + 1);
    const name = (element) => `${element.localName}.${[...element.classList].join('.')}`;
    return `${scrollWidth} px in a window of ${clientWidth} px, because of ${[...new Set(beyond.map(name))].slice(0, 8).join(', ')}`;
  });
  assert.equal(wide, null, `${page.url()} scrolls sideways: ${wide}`);
}

/** Fails when two things that one can use lie on top of each other. */
async function assertNothingOverlaps(page) {
  const pairs = await page.evaluate(() => {
    const name = (element) =>
      `${element.localName} "${(element.getAttribute('aria-label') ?? element.innerText ?? element.name ?? '').trim()}"`;
    const floats = (element) =>
      element && (['fixed', 'sticky', 'absolute'].includes(getComputedStyle(element).position) || floats(element.parentElement));
    const controls = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !floats(element))
      .map((element) => ({ element, box: element.getBoundingClientRect() }));
    // A pixel is an outline.
    const overlap = (a, b) =>
      Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    return controls.flatMap((one, index) =>
      controls
        .slice(index + 1)
        .filter((other) => !one.element.contains(other.element) && overlap(one.box, other.box))
        .map((other) => `${name(one.element)} and ${name(other.element)}`),
    );
  });
  assert.deepEqual(pairs, [], `on ${page.url()} at ${page.viewportSize().width} px`);
}

/**
 * Looks at a page as it stands, in both themes and at all widths: it is accessible, nothing is cut off or lies on something
 * else, and how it looks is kept as `target/screenshots/<name>-<width>-<theme>.png`.
 */
export async function look(page, name) {
  await mkdir(screenshots, { recursive: true });
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    await assertFits(page);
    await assertNothingOverlaps(page);
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      // As high as the page, so that what sticks to the window's edges covers nothing.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.max(height, HEIGHT) });
      await page.screenshot({ path: path.join(screenshots, `${name}-${width}-${theme}.png`), animations: 'disabled' });
      await page.setViewportSize({ width, height: HEIGHT });
      await assertAccessible(page);
    }
  }
  assert.equal(await page.locator('h1').count(), 1, `${page.url()} has one heading of the first rank`);
  assert.match(await page.title(), / · Tidings$/);
}

/** The bytes that came over the wire while `load` ran, of everything that the page asked for. The page's profile has to be new. */
export async function transferred(page, load) {
  const session = await page.context().newCDPSession(page);
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  await session.send('Network.enable');
  await load();
  await session.detach();
  return bytes;
}
