// A subscriber's endpoint: keeps what arrives, path by path, and answers as it is told.

import { once } from 'node:events';
import http from 'node:http';

import { within } from './deadline.mjs';

/** A receiver on a free port of loopback. It answers 200 with an empty body where nothing else was asked for. */
export async function startReceiver() {
  const received = new Map();
  const answers = new Map();
  const waiting = new Set();

  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const deliveries = at(request.url);
    deliveries.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks) });
    const { status = 200, headers = {}, body = '' } = answers.get(request.url)?.(deliveries.length) ?? {};
    response.writeHead(status, headers).end(body);
    for (const check of waiting) check();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;

  function at(path) {
    if (!received.has(path)) received.set(path, []);
    return received.get(path);
  }

  return {
    /** The URL to subscribe for that path. */
    url: (path) => base + path,

    /** What has arrived at that path so far, oldest first. */
    received: at,

    /** Decides the answers at that path: `answer(n)` gives `{status, headers, body}` for the n-th request, counted from 1. */
    answer: (path, answer) => answers.set(path, answer),

    /** Waits for that many deliveries at that path, and gives all that are there. */
    async deliveries(path, count = 1) {
      let check;
      const enough = new Promise((resolve) => {
        check = () => at(path).length >= count && resolve();
        waiting.add(check);
        check();
      });
      await within(enough, () => `delivery ${count} at ${path}, got ${at(path).length}`).finally(() => waiting.delete(check));
      return at(path);
    },

    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** A URL on loopback where nobody listens. */
export async function closedUrl() {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}/closed`;
}
