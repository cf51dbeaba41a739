//! Who may do what: every route of a node, asked by everybody, as one table that is checked in (`docs/reference/access.md`).
//!
//! Beside the table, what holds for all of it: a false proof is worth as much as none, what belongs to somebody else is not there rather than
//! forbidden, no refusal shows a secret, and a form that our own page did not send does nothing.

mod requests;
mod routes;
mod table;
mod world;

use std::collections::BTreeSet;
use std::path::Path;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use tidings_signing::TokenKeys;

use crate::checked_in;
use requests::{Ask, Audience, ask};
use routes::Route;
use table::Outcome;
use world::{Answer, Browser, OPERATOR, WEBHOOK_SECRET, World};

/// A kind of caller that has a column, the least powerful first: the world is made anew only after somebody changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    OtherTenant,
    Neighbour,
    Tenant,
    Reader,
    Writer,
    Operator,
    Person(Browser),
}

const PROGRAMS: [(Who, &str); 7] = [
    (Who::Nobody, "nobody"),
    (Who::OtherTenant, "another tenant"),
    (Who::Neighbour, "another environment"),
    (Who::Tenant, "its tenant"),
    (Who::Reader, "`read`"),
    (Who::Writer, "`read write`"),
    (Who::Operator, "`operator`"),
];

const PEOPLE: [(Who, &str); 4] = [
    (Who::Nobody, "nobody"),
    (Who::Person(Browser::Viewer), "viewer"),
    (Who::Person(Browser::Admin), "admin"),
    (Who::Person(Browser::Owner), "owner"),
];

fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{client_id}:{secret}").as_bytes()))
}

fn cookie(token: &str) -> String {
    format!("tidings_session={token}")
}

/// Every way to offer a proof that proves nothing.
fn false_proofs(world: &World) -> Vec<(&'static str, &'static str, String)> {
    let now = world::START.as_seconds();
    let claims = serde_json::json!({
        "type": "vendor", "aud": tidings_app::tokens::AUDIENCE, "sub": OPERATOR.0, "vendorId": world.things.environment,
        "scopes": "read write operator", "iat": now, "exp": now + 1_000_000,
    });
    let unsigned = |header: &str| {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("Bearer {}.{}.", part(header), part(&claims.to_string()))
    };
    let bearer = |token: &str| format!("Bearer {token}");
    let forged = TokenKeys::new(&[4; 32], &[]).mint(&claims).unwrap();
    let genuine = world.app.vendor_token(OPERATOR.0, OPERATOR.1).unwrap().token;
    let (head, signature) = genuine.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let other_claims = format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
    vec![
        ("a scheme without a credential", "authorization", "Bearer".to_owned()),
        ("an unknown scheme", "authorization", "Digest username=operator".to_owned()),
        ("a token that is none", "authorization", bearer("nonsense")),
        ("a token that is none, in the other header", "x-access-token", "nonsense".to_owned()),
        ("Basic that is not base64", "authorization", "Basic !!!".to_owned()),
        ("an unknown client id", "authorization", basic("nobody", OPERATOR.1)),
        ("a wrong secret", "authorization", basic(OPERATOR.0, "a-secret-for-testing")),
        ("an empty secret", "authorization", basic(OPERATOR.0, "")),
        ("an unsigned token", "authorization", unsigned(r#"{"typ":"JWT","alg":"none"}"#)),
        (
            "a token that says HS256 and is not signed",
            "authorization",
            unsigned(r#"{"typ":"JWT","alg":"HS256"}"#),
        ),
        ("a token signed with another key", "authorization", bearer(&forged)),
        ("another token's signature", "authorization", bearer(&other_claims)),
        ("a signature that was cut off", "authorization", bearer(head)),
        ("an expired token", "authorization", bearer(&world.programs.expired)),
        ("a token of a revoked credential", "authorization", bearer(&world.programs.revoked)),
        (
            "a tenant's token of a revoked credential",
            "authorization",
            bearer(&world.programs.revoked_tenant),
        ),
        ("the token of a link for people", "authorization", bearer(&world.things.link)),
        ("a person's session", "cookie", cookie(&Browser::Owner.token())),
        ("a person's session as a token", "authorization", bearer(&Browser::Owner.token())),
    ]
}

/// Every way to offer a proof to pages that proves nothing.
fn false_sessions(world: &World) -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("a cookie that is none", "cookie", cookie("nonsense")),
        ("a session that never was", "cookie", cookie(&Browser::Nobody.token())),
        ("a session that is over", "cookie", cookie(&Browser::Over.token())),
        ("the name of a session", "cookie", cookie(&Browser::Owner.session())),
        (
            "the cookie of another scheme",
            "cookie",
            format!("__Host-{}", cookie(&Browser::Owner.token())),
        ),
        ("an operator's credential", "authorization", basic(OPERATOR.0, OPERATOR.1)),
        (
            "an operator's token",
            "cookie",
            cookie(&world.app.vendor_token(OPERATOR.0, OPERATOR.1).unwrap().token),
        ),
    ]
}

/// The request as that caller sends it.
async fn dressed(world: &World, ask: Ask, who: Who) -> Ask {
    let programs = &world.programs;
    let with_basic = |ask: Ask, (id, secret): &(String, String)| ask.with("authorization", basic(id, secret));
    match who {
        Who::Nobody => ask,
        Who::OtherTenant => ask.with("authorization", format!("Bearer {}", programs.other_tenant)),
        Who::Tenant => ask.with("authorization", format!("Bearer {}", programs.tenant)),
        Who::Neighbour => with_basic(ask, &programs.neighbour),
        Who::Reader => with_basic(ask, &programs.reader),
        Who::Writer => with_basic(ask, &programs.writer),
        Who::Operator => ask.with("authorization", basic(OPERATOR.0, OPERATOR.1)),
        Who::Person(browser) => signed_in(world, ask, browser).await,
    }
}

/// As a browser sends it from one of our own pages.
async fn signed_in(world: &World, mut ask: Ask, browser: Browser) -> Ask {
    let visit = world.app.visit(&browser.token()).await.unwrap();
    ask.body = ask.body.replace("id=own", &format!("id={}", browser.session()));
    let ask = ask.with("cookie", cookie(&browser.token())).with("sec-fetch-site", "same-origin");
    if ask.method == "POST" {
        ask.field("csrf", visit.csrf())
    } else {
        ask
    }
}

/// The world of one test, made anew when somebody has changed it.
struct Worlds {
    password_hash: String,
    now: Option<World>,
}

impl Worlds {
    /// Hashing a password takes as long as it should: once for all worlds.
    async fn new() -> Self {
        let mut worlds = Self {
            password_hash: String::new(),
            now: None,
        };
        let world = worlds.get().await;
        let chosen = world
            .app
            .accept_invitation(&world.things.link, world::PASSWORD, &world::browser())
            .await;
        chosen.unwrap();
        let hash = world.password_hash().await;
        Self {
            password_hash: hash,
            now: None,
        }
    }

    async fn get(&mut self) -> &World {
        match &mut self.now {
            Some(world) => world,
            empty => empty.insert(World::new(&self.password_hash).await),
        }
    }

    /// Sends what is asked for, and forgets the world when something may have been done.
    async fn answer(&mut self, route: &Route, who: Who) -> Answer {
        let world = self.get().await;
        let ask = dressed(world, ask(world, route), who).await;
        self.send(ask).await
    }

    async fn send(&mut self, ask: Ask) -> Answer {
        let world = self.get().await;
        let reads = ask.method == "GET";
        let answer = world.send(ask).await;
        if !reads && answer.status < 400 {
            self.now = None;
        }
        answer
    }
}

async fn all_routes(worlds: &mut Worlds) -> BTreeSet<Route> {
    routes::of(&worlds.get().await.router)
}

/// What one caller is answered, and that no refusal says more than it should.
async fn outcome(worlds: &mut Worlds, route: &Route, who: Who) -> Outcome {
    let owned = worlds.get().await.things.known_to_its_own();
    let answer = worlds.answer(route, who).await;
    let outcome = Outcome::of(&answer);
    let place = format!("{} {} for {who:?}", route.method, route.path);
    assert!(answer.status < 500, "{place}: {}", answer.text);
    if matches!(outcome, Outcome::SignIn | Outcome::Forbidden | Outcome::NotThere) {
        assert!(!answer.text.contains(WEBHOOK_SECRET), "{place}: {}", answer.text);
    } else if matches!(who, Who::OtherTenant | Who::Neighbour) && Audience::of(route) != Audience::Everybody {
        // Which environment it belongs to is no news to another tenant of it.
        let news = owned.iter().skip(usize::from(who == Who::OtherTenant));
        for thing in news {
            assert!(!answer.text.contains(thing), "{place} shows {thing}: {}", answer.text);
        }
    }
    outcome
}

#[tokio::test]
async fn who_may_do_what_is_as_the_reference_says() {
    let mut worlds = Worlds::new().await;
    let routes = all_routes(&mut worlds).await;
    let mut table = table::Table::default();
    for route in &routes {
        let columns: &[(Who, &str)] = match Audience::of(route) {
            Audience::People => &PEOPLE,
            _ => &PROGRAMS,
        };
        for (who, column) in columns {
            let outcome = outcome(&mut worlds, route, *who).await;
            table.add(route, column, outcome);
        }
    }
    checked_in::hold(Path::new("docs/reference/access.md"), &table.text());
}

#[tokio::test]
async fn every_route_is_found_in_the_router_itself() {
    let mut worlds = Worlds::new().await;
    let routes = all_routes(&mut worlds).await;
    let of = |audience| routes.iter().filter(|route| Audience::of(route) == audience).count();
    let document: serde_json::Value = serde_json::from_str(&tidings_server::openapi()).unwrap();
    let described = described(&document);
    let native: BTreeSet<_> = routes
        .iter()
        .filter(|route| Audience::of(route) == Audience::Native)
        .cloned()
        .collect();
    assert_eq!(native, described, "the router and the description of the native API differ");
    let counts = [Audience::Frontegg, Audience::People, Audience::Everybody].map(of);
    assert!(counts[0] >= 40 && counts[1] >= 60 && counts[2] >= 5, "{counts:?}");
    for (method, path) in [
        ("GET", "/metrics"),
        ("DELETE", "/webhook/{id}"),
        ("PATCH", "/frontegg/webhook/{id}"),
        ("POST", "/people/role"),
        ("ANY", "/environments/{environment}/{*rest}"),
    ] {
        assert!(routes.contains(&Route::new(method, path)), "{method} {path}");
    }
}

/// The operations of an OpenAPI document.
fn described(document: &serde_json::Value) -> BTreeSet<Route> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| Route::new(&method.to_uppercase(), path))
    });
    operations.collect()
}

#[tokio::test]
async fn every_route_of_the_dialect_is_described_and_the_same_under_both_prefixes() {
    /// Further addresses of an operation that is described at another.
    const ALSO: [&str; 5] = [
        "/auth/vendor/",
        "/vendors/auth/token",
        "/webhook/logs/",
        "/event/resources/triggers/v3/{id}/statuses",
        "/integrations/resources/configurations/v2/sms",
    ];
    let mut worlds = Worlds::new().await;
    let routes = all_routes(&mut worlds).await;
    let (under, plain): (BTreeSet<_>, BTreeSet<_>) = routes
        .into_iter()
        .filter(|route| Audience::of(route) == Audience::Frontegg)
        .partition(|route| route.path.starts_with("/frontegg/"));
    let prefixed = plain
        .iter()
        .map(|route| Route::new(&route.method, &format!("/frontegg{}", route.path)));
    assert_eq!(prefixed.collect::<BTreeSet<_>>(), under);
    let document = serde_json::from_str(&tidings_server::dialect_openapi()).unwrap();
    let plain: BTreeSet<_> = plain.into_iter().filter(|route| !ALSO.contains(&route.path.as_str())).collect();
    assert_eq!(plain, described(&document));
}

#[tokio::test]
async fn a_false_proof_is_worth_as_much_as_none() {
    let mut worlds = Worlds::new().await;
    for route in all_routes(&mut worlds).await {
        let none = worlds.answer(&route, Who::Nobody).await;
        let (audience, none) = (Audience::of(&route), Outcome::of(&none));
        let world = worlds.get().await;
        let offers = match audience {
            Audience::People => false_sessions(world),
            _ => false_proofs(world),
        };
        for (what, header, value) in offers {
            let world = worlds.get().await;
            let ask = ask(world, &route).with(header, value);
            let answer = worlds.send(ask).await;
            let place = format!("{} {} with {what}: {}", route.method, route.path, answer.text);
            assert_eq!(Outcome::of(&answer), none, "{place}");
            if audience == Audience::Native {
                assert_eq!(answer.status, 401, "{place}");
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{place}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_acts_in_another_environment_by_naming_it() {
    let mut worlds = Worlds::new().await;
    for route in all_routes(&mut worlds).await {
        if !matches!(Audience::of(&route), Audience::Native | Audience::Frontegg) || is_open(&route) {
            continue;
        }
        for (header, who) in [
            ("tidings-environment", Who::Neighbour),
            ("frontegg-environment-id", Who::Neighbour),
            ("tidings-environment", Who::Tenant),
            ("tidings-environment", Who::Writer),
        ] {
            let world = worlds.get().await;
            let other = match who {
                Who::Neighbour => world.things.environment,
                _ => world.things.neighbour,
            };
            let ask = dressed(world, ask(world, &route), who).await.with(header, other.to_string());
            let answer = worlds.send(ask).await;
            assert_eq!(answer.status, 403, "{} {} for {who:?}: {}", route.method, route.path, answer.text);
        }
    }
}

/// Whether a route asks for nothing but what its body or its address proves.
fn is_open(route: &Route) -> bool {
    let path = route.path.strip_prefix("/frontegg").unwrap_or(&route.path);
    path.starts_with("/auth/") || path.starts_with("/vendors/") || ["/signin", "/setup", "/invitation"].contains(&path)
}

#[tokio::test]
async fn a_form_that_our_own_page_did_not_send_does_nothing() {
    let mut worlds = Worlds::new().await;
    let posts = all_routes(&mut worlds).await.into_iter();
    let forms: Vec<_> = posts
        .filter(|route| Audience::of(route) == Audience::People && route.method == "POST")
        .collect();
    assert!(forms.len() > 30, "{}", forms.len());
    for route in forms {
        let world = worlds.get().await;
        let owner = signed_in(world, ask(world, &route), Browser::Owner).await;
        let csrf = world.app.visit(&Browser::Owner.token()).await.unwrap().csrf().to_owned();
        let admins = world.app.visit(&Browser::Admin.token()).await.unwrap().csrf().to_owned();
        let without = |name: &str, from: &Ask| {
            let mut ask = from.clone();
            ask.headers.retain(|(header, _)| *header != name);
            ask
        };
        let replaced = |by: &str| Ask {
            body: owner.body.replace(&format!("csrf={csrf}"), by),
            ..owner.clone()
        };
        let cross = |site: &str| without("sec-fetch-site", &owner).with("sec-fetch-site", site);
        let mut foreign = vec![
            ("another site", cross("cross-site")),
            ("a neighbouring site", cross("same-site")),
            (
                "another origin",
                without("sec-fetch-site", &owner).with("origin", "https://evil.example"),
            ),
            ("an origin that is hidden", without("sec-fetch-site", &owner).with("origin", "null")),
        ];
        if !is_open(&route) {
            foreign.extend([
                ("no proof", replaced("")),
                ("an empty proof", replaced("csrf=")),
                ("the proof of another visit", replaced(&format!("csrf={admins}"))),
            ]);
        }
        for (what, ask) in foreign {
            let answer = worlds.send(ask).await;
            assert_eq!(answer.status, 403, "{} with {what}: {}", route.path, answer.text);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_ended_opens_no_page_from_then_on() {
    let mut worlds = Worlds::new().await;
    let pages = all_routes(&mut worlds).await.into_iter();
    for route in pages.filter(|route| Audience::of(route) == Audience::People && !is_open(route)) {
        let world = worlds.get().await;
        let ask = signed_in(world, ask(world, &route), Browser::Owner).await;
        world.end(Browser::Owner).await;
        let answer = worlds.send(ask).await;
        assert_eq!(Outcome::of(&answer), Outcome::SignIn, "{} {}", route.method, route.path);
        worlds.now = None;
    }
}
