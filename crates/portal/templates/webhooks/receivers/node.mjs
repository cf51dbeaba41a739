// Receives webhooks. Node 18 or later, no packages.
{% if scheme == Scheme::Unsigned %}//   node receiver.mjs
import { createServer } from "node:http";
{% else %}//   WEBHOOK_SECRET='the secret of the webhook' node receiver.mjs
import { {% if scheme == Scheme::Token %}createHash, {% endif %}createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.WEBHOOK_SECRET;
if (!secret) throw new Error("WEBHOOK_SECRET is not set");

const same = (left, right) => left.length === right.length && timingSafeEqual(left, right);
{% if scheme == Scheme::Token %}
// x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body.
function verify(headers, body) {
  const [head, claims, signature] = (headers["x-webhook-secret"] ?? "").split(".");
  const expected = createHmac("sha256", secret).update(`${head}.${claims}`).digest();
  if (!same(Buffer.from(signature ?? "", "base64url"), expected)) return false;
  const { exp, bodySha256 } = JSON.parse(Buffer.from(claims, "base64url"));
  return exp + 60 > Date.now() / 1000 && bodySha256 === createHash("sha256").update(body).digest("hex");
}
{% else %}
// Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now.
const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
function verify(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  return signatures.split(" ").some((one) => one.startsWith("v1,") && same(Buffer.from(one.slice(3), "base64"), expected));
}
{% endif %}{% endif %}
createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);{% if scheme != Scheme::Unsigned %}
  if (!verify(request.headers, body)) return response.writeHead(401).end("not signed with our secret\n");{% endif %}
  const event = JSON.parse(body);
  // An event can come more than once, always with the same webhook-id: pass over what you have done already.
  console.log(request.headers["webhook-id"], event.eventKey);
  response.writeHead(200).end();
}).listen(Number(process.env.PORT ?? 3000));
