// The built-in event types, read from the data that the binary was built with.

import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('../../catalog/', import.meta.url);

/** The categories in the order in which they are shown. */
export const categories = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

/** Every built-in event type. */
export const eventTypes = categories.flatMap(({ category, events }) => events.map((event) => ({ ...event, category })));
