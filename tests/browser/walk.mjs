// Walking the portal by its links, as a program does: every address that somebody can get to, and every form that stands there.

import assert from 'node:assert/strict';

import { rowOf } from './addresses.mjs';

/** How many addresses of one row are read: a list may link to many of a kind, and they are alike. */
const PER_ROW = 2;

/**
 * Reads every address that links lead to from `start`, with the cookies of `page`, and gives what each answered: its links,
 * and its forms as `{action, fields, texts}`: with what a browser would send, without the proof, and the names of the
 * fields that people type into.
 */
export async function walk(page, start) {
  const origin = new URL(page.url()).origin;
  const reader = await page.context().newPage();
  await reader.goto('/signin');
  const seen = new Map();
  const places = [];
  const queue = [...start];
  while (queue.length > 0) {
    const address = queue.shift();
    const row = rowOf(address);
    const query = [...new URL(address, origin).searchParams.keys()].sort().join('&');
    const kind = `${row}?${query}`;
    if (seen.has(address) || (seen.get(kind) ?? 0) >= PER_ROW) continue;
    seen.set(address, 1).set(kind, (seen.get(kind) ?? 0) + 1);
    const answer = await page.request.get(address);
    const place = { address, row, answer, html: await answer.text() };
    Object.assign(place, await read(reader, place.html, origin));
    places.push(place);
    queue.push(...place.links);
  }
  await reader.close();
  assert.ok(places.length > 20, `walked to ${places.map(({ address }) => address)} only`);
  return places;
}

/** What a page links to and sends, read without running anything of it. */
export const read = (reader, html, origin) =>
  reader.evaluate(
    ([html, origin]) => {
      const page = new DOMParser().parseFromString(html, 'text/html');
      const path = (text) => new URL(text, origin);
      const ours = [...page.querySelectorAll('a[href]')]
        .map((link) => path(link.getAttribute('href')))
        .filter((url) => url.origin === origin);
      const typed = (field) =>
        field.matches('textarea, input:not([type]), input:is([type=text], [type=search], [type=email], [type=url], [type=password])');
      const form = (action, of) => {
        const fields = of ? [...new FormData(of)].filter(([name]) => name !== 'csrf').map(([name, value]) => [name, String(value)]) : [];
        const texts = of ? [...of.elements].filter((field) => field.name && typed(field) && !field.readOnly).map(({ name }) => name) : [];
        return { action: path(action).pathname, fields, texts };
      };
      const forms = [...page.querySelectorAll('form[method="post"]')].map((one) => form(one.getAttribute('action'), one));
      const buttons = [...page.querySelectorAll('button[formaction]')].map((one) => form(one.getAttribute('formaction'), one.form));
      const parts = [...page.querySelectorAll('[hx-post]')].map((one) =>
        form(one.getAttribute('hx-post'), one.form ?? one.closest('form')),
      );
      return {
        links: [...new Set(ours.map(({ pathname, search }) => pathname + search))],
        forms: [...forms, ...buttons, ...parts],
        passwords: [...page.querySelectorAll('input[type=password]')].map(
          (field) => `${field.name}: ${field.getAttribute('autocomplete')}`,
        ),
        planted: page.querySelectorAll('xss-planted').length,
      };
    },
    [html, origin],
  );
