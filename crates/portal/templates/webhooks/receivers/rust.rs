// Receives webhooks.
{% if scheme == Scheme::Unsigned %}//   cargo add axum serde_json && cargo add tokio --features full
//   cargo run
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
{% else %}//   cargo add axum aws-lc-rs data-encoding serde_json && cargo add tokio --features full
//   WEBHOOK_SECRET='the secret of the webhook' cargo run
use std::time::{SystemTime, UNIX_EPOCH};

{% if scheme == Scheme::Token %}use aws_lc_rs::{digest, hmac};
{% else %}use aws_lc_rs::hmac;
{% endif %}use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
{% if scheme == Scheme::Token %}use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
{% else %}use data_encoding::BASE64;
{% endif %}use serde_json::Value;

fn secret() -> String {
    std::env::var("WEBHOOK_SECRET").expect("WEBHOOK_SECRET is set")
}

fn now() -> Option<u64> {
    Some(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs())
}
{% endif %}{% if scheme == Scheme::Token %}
/// x-webhook-secret is a JWT (HS256): made with our secret, fresh, and for exactly this body.
fn verify(headers: &HeaderMap, body: &[u8]) -> Option<()> {
    let token = headers.get("x-webhook-secret")?.to_str().ok()?;
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret().as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).ok()?;
    let claims = BASE64URL_NOPAD.decode(signed.split_once('.')?.1.as_bytes()).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let fresh = claims["exp"].as_u64()? + 60 > now()?;
    let digest = HEXLOWER.encode(digest::digest(&digest::SHA256, body).as_ref());
    (fresh && claims["bodySha256"] == digest).then_some(())
}
{% else if scheme == Scheme::Standard %}
/// Standard Webhooks: an HMAC of "id.timestamp.body", one for every secret that is valid now.
fn verify(headers: &HeaderMap, body: &[u8]) -> Option<()> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let secret = secret();
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64.decode(encoded.as_bytes()).ok()?,
        None => secret.into_bytes(),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    if now()?.abs_diff(timestamp.parse().ok()?) > 300 {
        return None;
    }
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let mut signatures = header("webhook-signature")?.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    let good = |one: &str| BASE64.decode(one.as_bytes()).is_ok_and(|one| hmac::verify(&key, &signed, &one).is_ok());
    signatures.any(good).then_some(())
}
{% endif %}
async fn receive(headers: HeaderMap, body: Bytes) -> StatusCode {
{% if scheme != Scheme::Unsigned %}    if verify(&headers, &body).is_none() {
        return StatusCode::UNAUTHORIZED;
    }
{% endif %}    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    // An event can come more than once, always with the same webhook-id: pass over what you have done already.
    println!("{:?} {}", headers.get("webhook-id"), event["eventKey"]);
    StatusCode::OK
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
{% if scheme != Scheme::Unsigned %}    secret();
{% endif %}    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("0.0.0.0:{port}")).await?;
    axum::serve(listener, Router::new().fallback(post(receive))).await
}
