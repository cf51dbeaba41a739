<?php
// Receives webhooks. PHP 8 or later, no packages.
{% if scheme == Scheme::Unsigned %}//   php -S 0.0.0.0:3000 receiver.php
{% else %}//   WEBHOOK_SECRET='the secret of the webhook' php -S 0.0.0.0:3000 receiver.php

$secret = getenv('WEBHOOK_SECRET') ?: throw new RuntimeException('WEBHOOK_SECRET is not set');
{% endif %}{% if scheme == Scheme::Token %}
function unpack_base64(string $text): string
{
    return (string) base64_decode(strtr($text, '-_', '+/'));
}

/** x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body. */
function verify(string $secret, string $body): bool
{
    $parts = explode('.', $_SERVER['HTTP_X_WEBHOOK_SECRET'] ?? '');
    if (count($parts) !== 3) {
        return false;
    }
    $expected = hash_hmac('sha256', "$parts[0].$parts[1]", $secret, true);
    if (!hash_equals($expected, unpack_base64($parts[2]))) {
        return false;
    }
    $claims = json_decode(unpack_base64($parts[1]), true);
    return $claims['exp'] + 60 > time() && hash_equals($claims['bodySha256'], hash('sha256', $body));
}
{% else if scheme == Scheme::Standard %}
/** Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now. */
function verify(string $secret, string $body): bool
{
    $key = str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6)) : $secret;
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (abs(time() - (int) $timestamp) > 300) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}
{% endif %}
http_response_code(500); // unless everything below goes well
$body = (string) file_get_contents('php://input');
{% if scheme != Scheme::Unsigned %}if (!verify($secret, $body)) {
    http_response_code(401);
    exit('not signed with our secret');
}
{% endif %}$event = json_decode($body, true);
// An event can come more than once, always with the same webhook-id: pass over what you have done already.
error_log(($_SERVER['HTTP_WEBHOOK_ID'] ?? '') . ' ' . ($event['eventKey'] ?? ''));
http_response_code(200);
