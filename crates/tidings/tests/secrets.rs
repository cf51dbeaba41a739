//! A search for known secrets: everything that people can give is given, a day of life goes by, and then every file, log line, page and reply is
//! searched for it, as it is, number by number, in base64 and in hex.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use http::Method;
use memchr::memmem;
use serde_json::{Value, json};
use tidings_testkit::server::{CLIENT_ID, CLIENT_SECRET};
use tidings_testkit::{Behaviour, TestDatabase, TestReceiver, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "planted password of an owner";
/// Pages of the portal that are looked at, at most.
const PAGES_MAX: usize = 120;

/// Secrets by what they are.
#[derive(Default)]
struct Planted(BTreeMap<&'static str, Vec<u8>>);

impl Planted {
    fn add(&mut self, what: &'static str, secret: &str) -> String {
        assert!(secret.len() >= 8, "{what} would be found by chance: {secret}");
        self.0.insert(what, secret.as_bytes().to_vec());
        secret.to_owned()
    }

    /// What is found in some bytes; `but` is what is meant to be there.
    fn found_in(&self, bytes: &[u8], but: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (what, secret) in self.0.iter().filter(|(what, _)| !but.contains(what)) {
            for (form, needle) in forms(secret) {
                if memmem::find(bytes, &needle).is_some() {
                    found.push(format!("{what} ({form})"));
                }
            }
        }
        found
    }
}

/// A secret as it may be written: as it is, number by number, in hex, and in base64 wherever it begins in what was encoded.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let numbers = format!("{secret:?}").trim_matches(['[', ']']).as_bytes().to_vec();
    let mut forms = vec![
        ("as it is", secret.to_vec()),
        ("numbers", numbers),
        ("hex", HEXLOWER.encode(secret).into_bytes()),
        ("HEX", HEXUPPER.encode(secret).into_bytes()),
    ];
    for offset in 0..3 {
        let shifted = [&vec![0; offset], secret].concat();
        // The first and the last characters depend on what stands beside the secret.
        let inner = |text: String| text.trim_end_matches('=').as_bytes()[(offset * 8).div_ceil(6)..shifted.len() * 8 / 6].to_vec();
        forms.push(("base64", inner(BASE64.encode(&shifted))));
        forms.push(("base64url", inner(BASE64URL_NOPAD.encode(&shifted))));
    }
    forms
}

/// A person at a browser.
struct Browser<'a> {
    server: &'a TestServer,
    cookie: String,
}

impl Browser<'_> {
    async fn get(&self, path: &str) -> tidings_testkit::server::RawAnswer {
        self.server.send(Method::GET, path, &[("cookie", &self.cookie)], "").await.unwrap()
    }

    /// Sends the form, with what the page at that path puts into every form.
    async fn submit(&self, page: &str, action: &str, fields: &str) -> tidings_testkit::server::RawAnswer {
        let html = self.get(page).await.text;
        let csrf = html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let body = format!("csrf={}&{fields}", csrf.unwrap_or_else(|| panic!("no form on {page}: {html}")));
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.server.send(Method::POST, action, &headers, &body).await.unwrap()
    }

    /// Every page that a page leads to, and those lead to, by their addresses.
    async fn walk(&self) -> BTreeMap<String, String> {
        let (mut pages, mut ahead) = (BTreeMap::new(), BTreeSet::from(["/environments".to_owned()]));
        while let Some(path) = ahead.pop_first() {
            let answer = self.get(&path).await;
            let links = answer.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let links = links.map(|link| link.replace("&amp;", "&").split('#').next().unwrap().to_owned());
            // One page for each built-in event type would be the same page sixty times.
            let ours = |link: &String| link.starts_with('/') && !link.starts_with("/assets") && !link.contains("/catalogue/");
            ahead.extend(links.filter(ours));
            pages.insert(path, answer.text);
            ahead.retain(|link| !pages.contains_key(link));
            if pages.len() >= PAGES_MAX {
                break;
            }
        }
        pages
    }
}

fn text(json: &Value, pointer: &str) -> String {
    json.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {json}"))
        .to_owned()
}

/// What commands of the operator say.
fn commands(data: &Path, key: &str) -> Vec<(String, Vec<u8>)> {
    let backup = data.join("backup.db");
    let all: [&[&str]; 10] = [
        &["doctor"],
        &["config"],
        &["webhooks", "list"],
        &["deliveries", "list", "--output", "json"],
        &["events", "list", "--output", "json"],
        &["credentials", "list"],
        &["environments", "list", "--output", "json"],
        &["keys", "list"],
        &["event-types", "list"],
        &["backup", "--to", backup.to_str().unwrap()],
    ];
    let mut said = Vec::new();
    for arguments in all {
        let mut command = Command::new(BINARY);
        command.env_clear().env("TIDINGS_DATA", data).args(arguments);
        if arguments == ["config"] {
            command.env("TIDINGS_MASTER_KEY", key).env("TIDINGS_CLIENT_SECRET", CLIENT_SECRET);
        }
        let output = command.output().unwrap();
        let words = [output.stdout, output.stderr].concat();
        assert!(
            output.status.code() == Some(0) || arguments == ["doctor"],
            "{arguments:?}: {}",
            String::from_utf8_lossy(&words)
        );
        said.push((arguments.join(" "), words));
    }
    said
}

/// Replies of the API, of which none may hold a secret.
const REPLIES: [&str; 12] = [
    "/v1/webhooks",
    "/v1/events",
    "/v1/deliveries",
    "/v1/event-types",
    "/v1/environments",
    "/v1/keys",
    "/openapi.json",
    "/metrics",
    "/healthz",
    "/readyz",
    "/frontegg/nowhere",
    "/v1/nowhere",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_where_it_is_not_meant_to_be() {
    let mut planted = Planted::default();
    let receiver = TestReceiver::start().await;
    let mut server = TestServer::start_with(BINARY, &["--egress-allow", "127.0.0.0/8", "--log-level", "trace"]).await;
    let environment = server.environment().await;
    server
        .patch(&format!("/v1/environments/{environment}"), r#"{"settings":{"httpAllowed":true}}"#)
        .await;
    planted.add("bootstrap secret", CLIENT_SECRET);
    let key = fs::read_to_string(server.data().join("master.key")).unwrap();
    planted.0.insert("master key", BASE64.decode(key.trim().as_bytes()).unwrap());

    let cookie = set_up(&server, &mut planted).await;
    let browser = Browser { server: &server, cookie };
    let webhook = live(&server, &receiver, &environment, &mut planted).await;
    people(&browser, &mut planted).await;
    be_refused(&server, &planted).await;

    // The commands, and the backup that one of them makes.
    for (command, said) in commands(server.data(), key.trim()) {
        assert_eq!(planted.found_in(&said, &[]), [""; 0], "tidings {command}");
    }
    // The API and the pages.
    for path in REPLIES {
        let answer = server.get_raw(path).await;
        assert_eq!(planted.found_in(answer.text.as_bytes(), &[]), [""; 0], "{path}: {}", answer.text);
    }
    let deliveries = server.get("/v1/deliveries").await.json;
    for delivery in deliveries["data"].as_array().unwrap() {
        let path = format!("/v1/deliveries/{}", text(delivery, "/id"));
        for path in [path.clone(), format!("{path}/attempts")] {
            let answer = server.get_raw(&path).await;
            assert_eq!(planted.found_in(answer.text.as_bytes(), &[]), [""; 0], "{path}: {}", answer.text);
        }
    }
    let pages = browser.walk().await;
    let page = |name: &str| format!("/environments/{environment}/webhooks/{webhook}/{name}");
    assert!(pages.len() > 20 && pages.contains_key(&page("settings")), "{:?}", pages.keys());
    for (path, html) in &pages {
        // Whoever may change a webhook is shown what it sends and signs with, where it is changed, and its secret when it is new.
        let but: &[&str] = match path {
            path if *path == page("settings") => &["header value", "rotated secret"],
            path if *path == page("done") => &["rotated secret"],
            path if path.contains("/webhooks/") && path.ends_with("/settings") => &["generated secret"], // the other one
            _ => &[],
        };
        assert_eq!(planted.found_in(html.as_bytes(), but), [""; 0], "{path}");
    }
    // The files, while it runs and after it was killed.
    search_files(server.data(), &planted);
    server.kill().await;
    search_files(server.data(), &planted);
    // The log; what stands between its lines is what is shown once.
    let log: Vec<_> = server.log().into_iter().filter(|line| line.starts_with('{')).collect();
    assert!(log.iter().any(|line| line.contains("TRACE")), "the log is at its most detailed");
    assert_eq!(planted.found_in(log.join("\n").as_bytes(), &[]), [""; 0], "the log");
}

/// What a driver of a database says when everything is let through is every statement with what is stored by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_secret_nor_the_hash_of_one_is_in_the_log_of_a_node_beside_a_database() {
    let (mut planted, database, receiver) = (Planted::default(), TestDatabase::new().await, TestReceiver::start().await);
    let mut server = TestServer::stopped(BINARY, &["--egress-allow", "127.0.0.0/8", "--log-level", "trace"]);
    server.set("TIDINGS_DATABASE", &database.url());
    server.restart().await;
    let environment = server.environment().await;
    let allowed = r#"{"settings":{"httpAllowed":true}}"#;
    server.patch(&format!("/v1/environments/{environment}"), allowed).await;
    planted.add("bootstrap secret", CLIENT_SECRET);
    planted.add("hash of a password", "$argon2id$");

    let cookie = set_up(&server, &mut planted).await;
    let browser = Browser { server: &server, cookie };
    live(&server, &receiver, &environment, &mut planted).await;
    people(&browser, &mut planted).await;
    be_refused(&server, &planted).await;
    server.kill().await;
    let log: Vec<_> = server.log().into_iter().filter(|line| line.starts_with('{')).collect();
    assert!(log.iter().any(|line| line.contains("TRACE")), "the log is at its most detailed");
    assert_eq!(planted.found_in(log.join("\n").as_bytes(), &[]), [""; 0], "the log");
}

fn search_files(data: &Path, planted: &Planted) {
    let mut names = Vec::new();
    for file in fs::read_dir(data).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let but: &[&str] = if name == "master.key" { &["master key"] } else { &[] };
        assert_eq!(planted.found_in(&fs::read(&path).unwrap(), but), [""; 0], "{name}");
        names.push(name);
    }
    for name in ["tidings.db", "tidings.db-wal", "master.key", "backup.db"] {
        assert!(names.iter().any(|there| there == name), "{name} is not among {names:?}");
    }
}

/// Sets up the first owner with the link that was shown. The cookie of their browser.
async fn set_up(server: &TestServer, planted: &mut Planted) -> String {
    let said = server.log();
    let link = said
        .iter()
        .find_map(|line| line.split("/setup?token=").nth(1))
        .expect("the link was shown");
    let token = planted.add("set-up token", link.trim());
    let body = format!("token={token}&email={EMAIL}&password={}", PASSWORD.replace(' ', "+"));
    planted.add("password", PASSWORD);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = server.send(Method::POST, "/setup", &form, &body).await.unwrap();
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    planted.add("session cookie", cookie.split_once('=').unwrap().1);
    cookie
}

/// Webhooks are made, changed, tried; events arrive, and fail; tokens are asked for. The id of a webhook.
async fn live(server: &TestServer, receiver: &TestReceiver, environment: &str, planted: &mut Planted) -> String {
    let secret = planted.add("webhook secret", "planted webhook secret");
    let header = planted.add("header value", "planted-header-value");
    let body = json!({"url": receiver.url("/"), "eventKeys": ["*"], "secret": secret, "headers": {"x-api-key": header}});
    let made = server.post("/v1/webhooks", &body.to_string()).await;
    let id = text(&made.json, "/id");
    let rotated = planted.add("rotated secret", "planted rotated secret");
    let body = json!({"secret": rotated}).to_string();
    assert_eq!(server.post(&format!("/v1/webhooks/{id}/rotate-secret"), &body).await.status, 200);
    let body = json!({"url": receiver.url("/second"), "eventKeys": ["*"]});
    let second = server.post("/v1/webhooks", &body.to_string()).await;
    let generated = server
        .post(&format!("/v1/webhooks/{}/rotate-secret", text(&second.json, "/id")), "{}")
        .await;
    planted.add("generated secret", &text(&generated.json, "/secret"));

    receiver.at("/second", Behaviour::status(500));
    // A receiver that repeats what it was sent.
    let echo = Behaviour::Reply {
        status: 200,
        headers: vec![("x-echo".to_owned(), header.clone())],
        body: format!("you sent {header}").into(),
    };
    receiver.at("/", echo);
    for _ in 0..3 {
        let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
        assert_eq!(server.post("/v1/events", event).await.status, 202);
    }
    receiver.wait_for(6).await;
    let received = receiver.received();
    let sent = received.iter().filter_map(|request| request.header("x-api-key"));
    assert_eq!(sent.filter(|value| *value == header).count(), 3, "the receiver is meant to have it");
    let tried = server.post(&format!("/v1/webhooks/{id}/test"), "{}").await;
    assert!(
        planted.found_in(tried.json.to_string().as_bytes(), &[]).is_empty(),
        "{}",
        tried.json
    );

    let made = server
        .post(&format!("/v1/environments/{environment}/credentials"), r#"{"name":"planted"}"#)
        .await;
    planted.add("credential secret", &text(&made.json, "/clientSecret"));
    let token = server.post("/v1/tenants/acme/tokens", "{}").await;
    let token = planted.add("tenant token", &text(&token.json, "/token"));
    let bearer = format!("Bearer {token}");
    let asked = server
        .send(Method::GET, "/v1/webhooks", &[("authorization", &bearer)], "")
        .await
        .unwrap();
    assert_eq!(asked.status, 200);
    let login = json!({"clientId": CLIENT_ID, "secret": CLIENT_SECRET}).to_string();
    let minted = server.post("/auth/vendor", &login).await;
    planted.add("access token", &text(&minted.json, "/token"));
    id
}

/// Somebody is invited, and the link is shown once.
async fn people(browser: &Browser<'_>, planted: &mut Planted) {
    let invited = browser.submit("/people", "/people", "email=zoe@example.com&role=viewer").await;
    let token = invited
        .text
        .split("/invitation?token=")
        .nth(1)
        .and_then(|rest| rest.split(['"', '<', '&']).next());
    planted.add("invitation", token.unwrap_or_else(|| panic!("{} {}", invited.status, invited.text)));
}

/// Requests that are refused with a secret in them: what is said of them does not repeat it.
async fn be_refused(server: &TestServer, planted: &Planted) {
    let of = |what: &str| String::from_utf8(planted.0[what].clone()).unwrap();
    let (secret, header) = (of("webhook secret"), of("header value"));
    let wrong = [
        json!({"url": "nonsense", "eventKeys": ["no.such"], "secret": secret, "headers": {"x y": header}}).to_string(),
        format!("{{\"url\": \"https://a.example/\", \"secret\": \"{secret}\", "),
        json!({"url": "https://a.example/", "eventKeys": "*", "secret": [secret]}).to_string(),
    ];
    for body in wrong {
        let answer = server.post("/v1/webhooks", &body).await;
        assert!((400..500).contains(&answer.status), "{}", answer.json);
        assert!(
            planted.found_in(answer.json.to_string().as_bytes(), &[]).is_empty(),
            "{}",
            answer.json
        );
    }
    let token = of("access token");
    let changed = format!("Bearer {}x", &token);
    let basic = format!("Basic {}", BASE64.encode(format!("{CLIENT_ID}x:{CLIENT_SECRET}").as_bytes()));
    for authorization in [changed, basic] {
        let answer = server
            .send(Method::GET, "/v1/webhooks", &[("authorization", &authorization)], "")
            .await
            .unwrap();
        assert_eq!(answer.status, 401);
        assert!(planted.found_in(answer.text.as_bytes(), &[]).is_empty(), "{}", answer.text);
    }
}
