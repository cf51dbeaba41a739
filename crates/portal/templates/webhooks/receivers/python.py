# Receives webhooks. Python 3.9 or later, no packages.
{% if scheme == Scheme::Unsigned %}#   python3 receiver.py
import json
import os
{% else %}#   WEBHOOK_SECRET='the secret of the webhook' python3 receiver.py
import base64
import hashlib
import hmac
import json
import os
import time
{% endif %}from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
{% if scheme != Scheme::Unsigned %}
secret = os.environ["WEBHOOK_SECRET"]
{% endif %}{% if scheme == Scheme::Token %}

def unpack(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(headers, body):
    """x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body."""
    try:
        head, claims, signature = headers.get("x-webhook-secret", "").split(".")
        expected = hmac.new(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(unpack(signature), expected):
            return False
        claims = json.loads(unpack(claims))
    except ValueError:
        return False
    return claims["exp"] + 60 > time.time() and claims["bodySha256"] == hashlib.sha256(body).hexdigest()
{% else if scheme == Scheme::Standard %}key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()


def verify(headers, body):
    """Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    signed = f"{headers.get('webhook-id')}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures)
{% endif %}

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))){% if scheme != Scheme::Unsigned %}
        if not verify(self.headers, body):
            return self.answer(401){% endif %}
        event = json.loads(body)
        # An event can come more than once, always with the same webhook-id: pass over what you have done already.
        print(self.headers["webhook-id"], event["eventKey"], flush=True)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


ThreadingHTTPServer(("", int(os.environ.get("PORT", 3000))), Receiver).serve_forever()
