//! A request for every route that whoever may ask for it gets done. A route that is missing here fails the test: whoever adds one says here how it is
//! asked, and sees in the reference who may.

use serde_json::{Value, json};

use super::routes::Route;
use super::world::{Browser, OTHER_PERSON, PASSWORD, TENANT, Things, World};

/// A request that is being put together.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: String,
    pub(super) address: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Ask {
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn json(self, body: &Value) -> Self {
        let body = body.to_string();
        Self { body, ..self }.with("content-type", "application/json")
    }

    fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { body, ..self }.with("content-type", "application/x-www-form-urlencoded")
    }

    /// With one more field in its form, when it is one.
    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        let more = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        if !self.body.is_empty() {
            self.body.push('&');
        }
        self.body.push_str(&more);
        self
    }
}

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Programs, by the native API.
    Native,
    /// Programs, in the dialect of Frontegg.
    Frontegg,
    /// People, in a browser.
    People,
    /// Everybody who reaches the port.
    Everybody,
}

impl Audience {
    pub(super) fn of(route: &Route) -> Self {
        let path = route.path.as_str();
        let begins = |with: &[&str]| with.iter().any(|begin| path.starts_with(begin));
        if begins(&["/v1/"]) {
            Self::Native
        } else if begins(&["/frontegg/", "/auth/", "/vendors/", "/webhook", "/event/", "/integrations/"]) {
            Self::Frontegg
        } else if begins(&["/healthz", "/readyz", "/metrics", "/openapi.json", "/assets/"]) {
            Self::Everybody
        } else {
            Self::People
        }
    }
}

/// How a route is asked, without any proof of who asks.
pub(super) fn ask(world: &World, route: &Route) -> Ask {
    let things = &world.things;
    let path = route.path.strip_prefix("/frontegg").unwrap_or(&route.path);
    let ask = Ask {
        method: if route.method == "ANY" { "GET" } else { &route.method }.to_owned(),
        address: address(things, &route.path),
        headers: Vec::new(),
        body: String::new(),
    };
    match Audience::of(route) {
        Audience::Native => native(things, ask, &route.method, path),
        Audience::Frontegg => frontegg(ask, &route.method, path),
        Audience::People => pages(things, ask, &route.method, path),
        Audience::Everybody => ask,
    }
}

/// The path with the names of the things in it.
fn address(things: &Things, path: &str) -> String {
    let id = |begins: &str| path.strip_prefix("/frontegg").unwrap_or(path).starts_with(begins);
    let of_id = if id("/v1/webhooks") || id("/webhook/{id}") {
        things.webhook.to_string()
    } else if id("/v1/events") || id("/event/resources/triggers") {
        things.event.to_string()
    } else if id("/v1/deliveries") || id("/webhook/logs") {
        things.delivery.to_string()
    } else if id("/event/resources/configurations") {
        "own.key".to_owned()
    } else if id("/environments/{environment}/jobs") {
        things.job.clone()
    } else {
        things.environment.to_string()
    };
    let address = path
        .replace("{id}", &of_id)
        .replace("{environment}", &things.environment.to_string())
        .replace("{webhook}", &things.webhook.to_string())
        .replace("{event}", &things.event.to_string())
        .replace("{delivery}", &things.delivery.to_string())
        .replace("{clientId}", &things.credential)
        .replace("{tenantId}", TENANT)
        .replace("{key}", "own.key")
        .replace("{*rest}", "no-such-page")
        .replace("/assets/{hash}/{name}", &things.asset);
    assert!(
        !address.contains('{'),
        "say in access/requests.rs what stands for the parameters of {path}"
    );
    match path {
        "/environments/{environment}/webhooks/new/details" => format!("{address}?eventKeys=*"),
        "/invitation" => format!("{address}?token={}", things.link),
        "/v1/environments/{id}" => format!("{address}?force=true"),
        _ => address,
    }
}

fn unknown(method: &str, path: &str) -> ! {
    panic!("{method} {path} is a new route: say in access/requests.rs how it is asked, then look in docs/reference/access.md at who may");
}

fn native(things: &Things, ask: Ask, method: &str, path: &str) -> Ask {
    let event = json!({"eventKey": "frontegg.user.created", "payload": {}});
    let body = match (method, path) {
        ("GET" | "DELETE", _) => return ask,
        ("POST", "/v1/events") => event,
        ("POST", "/v1/events/batch") => json!({"events": [event]}),
        ("POST", "/v1/webhooks") => json!({"url": "https://b.test/", "eventKeys": ["*"]}),
        ("POST", "/v1/webhooks/test") => json!({"url": "https://b.test/"}),
        ("POST", "/v1/event-types") => json!({"key": "another.key", "category": "Own"}),
        ("POST", "/v1/environments" | "/v1/environments/{id}/credentials") | ("PATCH", "/v1/webhooks/{id}") => json!({"name": "Another"}),
        ("PATCH", "/v1/environments/{id}") => json!({"settings": {"retentionDays": 29}}),
        ("POST", "/v1/environments/{id}/copy") => json!({"to": things.neighbour}),
        (
            "POST",
            "/v1/webhooks/{id}/test"
            | "/v1/webhooks/{id}/enable"
            | "/v1/webhooks/{id}/disable"
            | "/v1/webhooks/{id}/rotate-secret"
            | "/v1/deliveries/{id}/resend"
            | "/v1/tenants/{tenantId}/tokens"
            | "/v1/keys/master/rotate"
            | "/v1/keys/tokens/rotate",
        ) => json!({}),
        _ => unknown(method, path),
    };
    ask.json(&body)
}

fn frontegg(ask: Ask, method: &str, path: &str) -> Ask {
    let webhook = json!({"displayName": "B", "url": "https://b.test/", "eventKeys": ["*"]});
    let body = match (method, path) {
        ("GET" | "DELETE", _) => return ask,
        ("POST", "/auth/vendor" | "/auth/vendor/" | "/vendors/auth/token") => {
            json!({"clientId": super::world::OPERATOR.0, "secret": super::world::OPERATOR.1})
        }
        ("POST", "/webhook/custom") => webhook,
        ("PATCH", "/webhook/{id}") => json!({"displayName": "Another"}),
        ("POST", "/webhook/test") => json!({"url": "https://b.test/", "payload": {}}),
        ("POST", "/webhook/logs/{id}/retries") => json!({}),
        ("POST", "/event/resources/configurations/v1") => json!({"key": "another.key", "displayName": "Another"}),
        ("POST", "/event/resources/triggers/v1") => json!({"eventKey": "frontegg.user.created", "metadata": {}, "channels": ["webhook"]}),
        ("POST", "/event/resources/triggers/v2") => {
            json!({"eventKey": "frontegg.user.created", "properties": {}, "channels": {"webhook": true}})
        }
        ("POST", "/event/resources/triggers/v3") => json!({"eventKey": "frontegg.user.created", "data": {}}),
        _ => unknown(method, path),
    };
    ask.json(&body)
}

/// The fields of a page's form, without the proof that our own page sent it.
fn pages(things: &Things, ask: Ask, method: &str, path: &str) -> Ask {
    if method == "GET" || method == "ANY" {
        return ask;
    }
    let neighbour = things.neighbour.to_string();
    let seen = "name=Development&httpAllowed=false&retrySchedule=5s&timeoutSeconds=15&retentionDays=30";
    let draft = [
        ("name", "Orders"),
        ("url", "https://b.test/"),
        ("eventKeys", "*"),
        ("readAt", &things.changed_at),
    ];
    let other = Browser::Other.session();
    let fields: &[(&str, &str)] = match path.strip_prefix("/environments/{environment}").unwrap_or(path) {
        "/signin" => &[("email", OTHER_PERSON), ("password", PASSWORD)],
        "/setup" => &[("token", "none"), ("email", "new@example.test"), ("password", PASSWORD)],
        "/invitation" => &[("token", &things.link), ("password", PASSWORD)],
        "/account/password" => &[
            ("old", PASSWORD),
            ("new", "another long password"),
            ("again", "another long password"),
        ],
        "/account/end-session" => &[("id", "own")],
        "/environments" => &[("name", "Another")],
        "/people" => &[("email", "new@example.test"), ("role", "viewer")],
        "/people/role" => &[("email", OTHER_PERSON), ("role", "viewer")],
        "/people/link" | "/people/remove" => &[("email", OTHER_PERSON)],
        "/people/end-session" => &[("id", &other)],
        "/catalogue" => &[("key", "another.key"), ("category", "Own"), ("displayName", "Another")],
        "/credentials" => &[("name", "Another"), ("scopes", "read")],
        "/credentials/revoke" => &[("id", &things.credential)],
        "/settings" => &[
            ("name", "Renamed"),
            ("retrySchedule", "5s"),
            ("timeoutSeconds", "15"),
            ("retentionDays", "30"),
            ("seen", seen),
        ],
        "/delete" => &[("confirm", "Development")],
        "/copy" => &[("to", &neighbour)],
        "/events/send" | "/webhooks/{webhook}/test" => &[("eventKey", "own.key"), ("payload", "{}")],
        "/webhooks/new/details" | "/webhooks/check" | "/webhooks/{webhook}/settings" => &draft,
        "/signout"
        | "/account/end-other-sessions"
        | "/jobs/{id}/cancel"
        | "/catalogue/{key}/delete"
        | "/deliveries/resend"
        | "/deliveries/{delivery}/resend"
        | "/webhooks/{webhook}/enable"
        | "/webhooks/{webhook}/disable"
        | "/webhooks/{webhook}/rotate"
        | "/webhooks/{webhook}/unsign"
        | "/webhooks/{webhook}/duplicate"
        | "/webhooks/{webhook}/delete" => &[],
        _ => unknown(method, path),
    };
    ask.form(fields)
}
