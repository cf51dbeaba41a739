// Waiting for another process: for an event, or for a state that can only be asked for; never longer than a deadline.

import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds after which waiting has failed; generous, because a slow machine is no failure. */
export const DEADLINE_MS = 30_000;

/** Settles as `promise` does, or fails at the deadline with what was awaited. */
export async function within(promise, what, ms = DEADLINE_MS) {
  const late = new AbortController();
  const deadline = pause(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error(`waited ${ms} ms for ${typeof what === 'function' ? what() : what}`);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    late.abort();
    deadline.catch(() => {});
  }
}

/** Asks until the answer is neither null nor undefined nor false, and gives that answer. */
export async function eventually(ask, what, ms = DEADLINE_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`);
    await pause(25);
  }
}
