//! The lab: one server, a webhook for each hostile receiver, and a healthy one beside them.

use std::fs;

use serde_json::Value;
use tidings_testkit::{Behaviour, TestNameServer, TestReceiver, TestServer};

use super::DEADLINE_MS;
use super::table::{Case, RETRY_STEP_SECONDS, Receiver};
use crate::{BINARY, EVENT, first_attempt, webhook};

/// See the module.
pub(super) struct Lab {
    /// The server under test.
    pub(super) server: TestServer,
    stands: Vec<Stand>,
    /// Must never be called: redirects lead to it.
    victim: TestReceiver,
    healthy: TestReceiver,
    /// Held while the server asks it.
    _names: TestNameServer,
}

/// A case with its receiver and its webhook.
pub(super) struct Stand {
    /// What it is about.
    pub(super) case: Case,
    /// Gone when nobody is to listen.
    receiver: Option<TestReceiver>,
    address: String,
    name: String,
    /// Who is asked for names.
    name_server: String,
    webhook: String,
}

impl Lab {
    /// Starts every receiver and the server, and makes the webhooks.
    pub(super) async fn open(cases: Vec<Case>) -> Self {
        let (victim, healthy) = (TestReceiver::start().await, TestReceiver::start().await);
        let names = TestNameServer::start().await;
        names.answer("receiver.test", &["127.0.0.1"]);
        let mut stands = Vec::new();
        for (number, case) in cases.into_iter().enumerate() {
            stands.push(Stand::set_up(case, number, &victim).await);
        }
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, stands.iter().filter_map(Stand::root).collect::<String>()).unwrap();
        let resolver = names.address().to_string();
        let server = TestServer::start_with(
            BINARY,
            &[
                "--egress-allow",
                "127.0.0.0/8",
                "--egress-resolver",
                &resolver,
                "--egress-ca-file",
                roots.to_str().unwrap(),
            ],
        )
        .await;
        let settings =
            format!(r#"{{"settings":{{"httpAllowed":true,"timeoutMs":{DEADLINE_MS},"retrySchedule":[0,{RETRY_STEP_SECONDS}]}}}}"#);
        let environment = server.environment().await;
        let set = server.patch(&format!("/v1/environments/{environment}"), &settings).await;
        assert_eq!(set.status, 200, "{}", set.json);
        webhook(&server, &healthy.url("/")).await;
        for stand in &mut stands {
            stand.subscribe(&server, &names).await;
        }
        Self {
            server,
            stands,
            victim,
            healthy,
            _names: names,
        }
    }

    /// Publishes so many events, one after the other.
    pub(super) async fn publish(&self, events: usize) {
        for _ in 0..events {
            let accepted = self.server.post("/v1/events", EVENT).await;
            assert_eq!(accepted.status, 202, "{}", accepted.json);
        }
    }

    /// Every case that is under test.
    pub(super) fn stands(&self) -> &[Stand] {
        &self.stands
    }

    /// The healthy receiver has every event, each at its first attempt.
    pub(super) async fn healthy_took_all(&self, events: usize) {
        let received = self.healthy.wait_for(events).await;
        let mut ids: Vec<_> = received.iter().filter_map(|request| request.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), received.len()), (events, events), "each event once, and none twice");
    }

    /// No redirect led anybody to another receiver, or to another path of the same one.
    pub(super) fn nobody_followed_a_redirect(&self) {
        assert_eq!(self.victim.connections(), 0);
        let redirecting = self
            .stands
            .iter()
            .filter(|stand| matches!(stand.case.receiver, Receiver::Redirect { .. }));
        for stand in redirecting {
            let received = stand.receiver.as_ref().unwrap().received();
            assert!(
                received.iter().all(|request| request.path == "/" && request.method == "POST"),
                "{}: {received:?}",
                stand.case.name
            );
        }
    }

    /// Ends every receiver and gives back the server.
    pub(super) fn close(self) -> TestServer {
        self.server
    }
}

impl Stand {
    async fn set_up(case: Case, number: usize, victim: &TestReceiver) -> Self {
        let receiver = start(&case.receiver, victim).await;
        Self {
            address: receiver.address().to_string(),
            name: match &case.receiver {
                Receiver::Named(_) => format!("case-{number}.test"),
                _ => "receiver.test".to_owned(),
            },
            receiver: (!matches!(case.receiver, Receiver::Nobody)).then_some(receiver),
            name_server: String::new(),
            webhook: String::new(),
            case,
        }
    }

    /// The certificate authority of a receiver that has one.
    fn root(&self) -> Option<String> {
        let has_root = matches!(self.case.receiver, Receiver::Tls(_) | Receiver::GoesAway);
        self.receiver.as_ref().filter(|_| has_root).map(TestReceiver::root_pem)
    }

    fn url(&self) -> String {
        let port = self.address.rsplit(':').next().unwrap();
        match self.case.receiver {
            Receiver::Tls(_) | Receiver::TlsBytes(_) | Receiver::GoesAway => format!("https://{}:{port}/", self.name),
            Receiver::Named(_) => format!("http://{}:{port}/", self.name),
            _ => format!("http://{}/", self.address),
        }
    }

    async fn subscribe(&mut self, server: &TestServer, names: &TestNameServer) {
        if let Receiver::Named(turn) = self.case.receiver {
            names.answer(&self.name, &["127.0.0.1"]); // while the webhook is made
            turn(names, &self.name);
        }
        self.name_server = names.address().to_string();
        self.webhook = webhook(server, &self.url()).await;
    }

    /// The words of its failure, with what is only known now.
    pub(super) fn words(&self) -> Option<String> {
        let (_, words) = self.case.failure?;
        let words = words.replace("{address}", &self.address).replace("{name}", &self.name);
        Some(words.replace("{name server}", &self.name_server))
    }

    /// The first attempt of its first delivery, once there is one.
    pub(super) async fn first_attempt(&self, server: &TestServer) -> Value {
        first_attempt(server, &self.webhook).await
    }

    /// Waits until every delivery has ended as the first did, unless what the receiver answered holds the others back.
    pub(super) async fn all_ended_alike(&self, server: &TestServer, events: usize) {
        let status = match self.case.verdict {
            _ if self.case.status == Some(429) => return, // it slows its whole webhook down
            "cancelled" => "cancelled",
            "delivered" => "delivered",
            _ => "retrying",
        };
        let path = format!("/v1/deliveries?webhookId={}&status={status}", self.webhook);
        let alike = |list: &Value| list["data"].as_array().is_some_and(|rows| rows.len() == events);
        let list = server.until(&path, alike).await;
        let tried_once = |row: &Value| row["attempts"].as_u64() <= Some(1);
        assert!(
            list["data"].as_array().unwrap().iter().all(tried_once),
            "{}: {list}",
            self.case.line
        );
    }
}

async fn start(receiver: &Receiver, victim: &TestReceiver) -> TestReceiver {
    match receiver {
        Receiver::Nobody | Receiver::Named(_) => TestReceiver::start().await,
        Receiver::Http(behaviour) => {
            let started = TestReceiver::start().await;
            started.always(behaviour.clone());
            started
        }
        Receiver::Redirect { status, to_itself } => {
            let started = TestReceiver::start().await;
            let to = if *to_itself { "/again".to_owned() } else { victim.url("/") };
            started.always(Behaviour::redirect(*status, &to));
            started
        }
        Receiver::Tls(certificate) => TestReceiver::start_tls(*certificate).await,
        Receiver::TlsBytes(bytes) => TestReceiver::start_bytes(*bytes).await,
        Receiver::GoesAway => {
            let started = TestReceiver::start_http2().await;
            started.always(Behaviour::GoAway);
            started
        }
    }
}
