//! A case for each line of the lab.

use std::time::Duration;

use tidings_testkit::{Behaviour, Certificate, TestNameServer};

use super::DEADLINE_MS;

/// The lab's lines, in words.
pub(super) const LAB: &str = "refuses connections · accepts and never answers · drips headers · drips the body · answers after the deadline · \
    closes mid-body · resets · sends 100 MB · sends a gzip bomb · 1xx floods · 301/302/307/308 to loopback and to itself · \
    429 with Retry-After 1, with 10 days, with garbage · 410 · 204 with a body · wrong content-length · chunked garbage · invalid header bytes · \
    10,000 headers · TLS expired, self-signed, wrong name, TLS 1.0 · HTTP/2 GOAWAY mid-stream · \
    DNS that changes its answer between check and connect, that has 1,000 answers, that never answers · \
    a name with one good and one forbidden address · keep-alive closed exactly when the next request goes out";

/// Seconds between the steps of the lab's schedule, with their spread.
pub(super) const RETRY_SECONDS: (u64, u64) = (480, 720);
/// The second step of the lab's schedule, in seconds.
pub(super) const RETRY_STEP_SECONDS: u64 = 600;

/// A hostile receiver, and what the delivery log has to say of it.
pub(super) struct Case {
    /// Its line of the lab.
    pub(super) line: &'static str,
    /// Tells it from others of its line.
    pub(super) name: &'static str,
    /// What stands at the other end.
    pub(super) receiver: Receiver,
    /// What follows its attempt.
    pub(super) verdict: &'static str,
    /// The status that came.
    pub(super) status: Option<u16>,
    /// The kind of failure and its words; `{address}` is the receiver's.
    pub(super) failure: Option<(&'static str, &'static str)>,
    /// Whether more came than is kept.
    pub(super) truncated: bool,
    /// After how many seconds it is tried again, when that is not the schedule.
    pub(super) retry_seconds: Option<(u64, u64)>,
}

/// What stands at the other end of a webhook.
pub(super) enum Receiver {
    /// Nobody listens.
    Nobody,
    /// HTTP/1.1 that always does this.
    Http(Behaviour),
    /// A redirect to a path of its own, or to another receiver on loopback.
    Redirect { status: u16, to_itself: bool },
    /// TLS with that certificate.
    Tls(Certificate),
    /// A port that answers a TLS handshake with these bytes.
    TlsBytes(&'static [u8]),
    /// HTTP/2 that begins a reply and goes away.
    GoesAway,
    /// A good receiver, whose name the name server speaks of in that way once the webhook has been made.
    Named(fn(&TestNameServer, &str)),
}

/// The fatal alert `protocol_version` of a server that knows TLS 1.0 and sees that its client does not.
const OLD_TLS_ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
/// The ServerHello of one that goes on in TLS 1.0, as OpenSSL's does.
const OLD_TLS_HELLO: &[u8] = b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01a-server-has-32-bytes-of-its-own\x00\xc0\x14\x00";
/// A hundred megabytes.
const HUGE: usize = 100 * 1024 * 1024;

const NO_REPLY: &str = "no reply from {address} within 2000 ms";
const OLD_TLS: &str = "receiver.test speaks no version of TLS that is safe; TLS 1.2 or 1.3 is needed";
const METADATA: &str = "{name} is refused: its address 169.254.169.254 is a cloud metadata address and refused by policy; the operator can allow it with \
    --egress-allow 169.254.169.254/32";

impl Case {
    const fn of(line: &'static str, name: &'static str, receiver: Receiver) -> Self {
        Self {
            line,
            name,
            receiver,
            verdict: "retry",
            status: None,
            failure: None,
            truncated: false,
            retry_seconds: None,
        }
    }

    fn status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    fn delivered(self, status: u16) -> Self {
        Self {
            verdict: "delivered",
            ..self.status(status)
        }
    }

    fn fails(self, kind: &'static str, words: &'static str) -> Self {
        Self {
            failure: Some((kind, words)),
            ..self
        }
    }
}

/// Every case, in the order of the lab.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = silent();
    cases.extend(cut_off());
    cases.extend(floods());
    cases.extend(redirects());
    cases.extend(statuses());
    cases.extend(malformed());
    cases.extend(secure());
    cases.extend(named());
    cases.push(
        Case::of(
            "keep-alive closed exactly when the next request goes out",
            "",
            Receiver::Http(Behaviour::CloseOnNextRequest),
        )
        .delivered(200),
    );
    cases
}

fn http(line: &'static str, behaviour: Behaviour) -> Case {
    Case::of(line, "", Receiver::Http(behaviour))
}

fn silent() -> Vec<Case> {
    vec![
        Case::of("refuses connections", "", Receiver::Nobody).fails("connect", "connection refused by {address}"),
        http("accepts and never answers", Behaviour::Stall).fails("timeout", NO_REPLY),
        http("drips headers", Behaviour::DripHeaders).fails("timeout", NO_REPLY),
        http("drips the body", Behaviour::DripBody)
            .status(200)
            .fails("timeout", "the reply from {address} was not complete within 2000 ms"),
        http(
            "answers after the deadline",
            Behaviour::Late(Duration::from_millis(DEADLINE_MS * 3 / 2)),
        )
        .fails("timeout", NO_REPLY),
    ]
}

fn cut_off() -> Vec<Case> {
    vec![
        http("closes mid-body", Behaviour::CloseMidBody)
            .status(200)
            .fails("disconnected", "{address} closed the connection in the middle of the reply"),
        http("resets", Behaviour::Reset).fails("disconnected", "connection reset by {address} without a reply"),
    ]
}

fn floods() -> Vec<Case> {
    vec![
        Case {
            truncated: true,
            ..http("sends 100 MB", Behaviour::Huge(HUGE)).delivered(200)
        },
        http("sends a gzip bomb", Behaviour::GzipBomb).delivered(200),
        http("1xx floods", Behaviour::InformationalFlood)
            .fails("protocol", "{address} sent more than 1048576 bytes of reply and no end of it"),
    ]
}

fn redirects() -> Vec<Case> {
    let names = [
        (301, "301 to loopback", "301 to itself"),
        (302, "302 to loopback", "302 to itself"),
        (307, "307 to loopback", "307 to itself"),
        (308, "308 to loopback", "308 to itself"),
    ];
    let case = |status, name, to_itself| {
        let line = "301/302/307/308 to loopback and to itself";
        Case::of(line, name, Receiver::Redirect { status, to_itself }).status(status)
    };
    let both = |(status, there, itself)| [case(status, there, false), case(status, itself, true)];
    names.into_iter().flat_map(both).collect()
}

fn statuses() -> Vec<Case> {
    const DAY: u64 = 24 * 3_600;
    let later = |name, value, retry_seconds| Case {
        name,
        retry_seconds,
        ..http(
            "429 with Retry-After 1, with 10 days, with garbage",
            Behaviour::retry_after(429, value),
        )
        .status(429)
    };
    vec![
        later("1 second", "1", None),
        later("10 days", "864000", Some((DAY, DAY))),
        later("garbage", "soon", None),
        Case {
            verdict: "cancelled",
            ..http("410", Behaviour::status(410)).status(410)
        },
        http("204 with a body", Behaviour::BodyWithNoContent).delivered(204),
    ]
}

fn malformed() -> Vec<Case> {
    vec![
        http("wrong content-length", Behaviour::WrongContentLength)
            .status(200)
            .fails("disconnected", "{address} closed the connection in the middle of the reply"),
        http("chunked garbage", Behaviour::ChunkedGarbage).status(200).fails(
            "protocol",
            "the reply from {address} is not valid HTTP: Invalid chunk size line: missing size digit",
        ),
        http("invalid header bytes", Behaviour::InvalidHeaderBytes)
            .fails("protocol", "{address} did not answer in HTTP: invalid HTTP header parsed"),
        http("10,000 headers", Behaviour::ManyHeaders(10_000)).fails(
            "protocol",
            "the reply from {address} has more headers than are accepted (100, together 65536 bytes)",
        ),
    ]
}

fn secure() -> Vec<Case> {
    let tls = |name, receiver, words| Case::of("TLS expired, self-signed, wrong name, TLS 1.0", name, receiver).fails("tls", words);
    vec![
        tls(
            "expired",
            Receiver::Tls(Certificate::Expired),
            "TLS certificate of receiver.test expired on 2020-01-01",
        ),
        tls(
            "self-signed",
            Receiver::Tls(Certificate::SelfSigned),
            "TLS certificate of receiver.test is self-signed or from an unknown issuer",
        ),
        tls(
            "its own authority",
            Receiver::Tls(Certificate::SelfSignedAuthority),
            "TLS certificate of receiver.test is self-signed",
        ),
        tls(
            "wrong name",
            Receiver::Tls(Certificate::WrongName),
            "TLS certificate of receiver.test is not valid for that name, only for DnsName(\"elsewhere.test\")",
        ),
        tls("TLS 1.0 that goes on", Receiver::TlsBytes(OLD_TLS_HELLO), OLD_TLS),
        tls("TLS 1.0 that gives up", Receiver::TlsBytes(OLD_TLS_ALERT), OLD_TLS),
        Case::of("HTTP/2 GOAWAY mid-stream", "", Receiver::GoesAway).status(200).fails(
            "disconnected",
            "{address} ended the HTTP/2 connection (GOAWAY) in the middle of the reply: unexpected internal error encountered",
        ),
    ]
}

fn named() -> Vec<Case> {
    const DNS: &str = "DNS that changes its answer between check and connect, that has 1,000 answers, that never answers";
    let many = |server: &TestNameServer, name: &str| {
        let addresses: Vec<_> = (0..1_000)
            .map(|number| format!("127.1.{}.{}", number / 250, number % 250))
            .collect();
        server.answer(name, &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let changes = |server: &TestNameServer, name: &str| _ = server.answer(name, &["169.254.169.254"]);
    let hangs = |server: &TestNameServer, name: &str| _ = server.hang(name);
    let two = |server: &TestNameServer, name: &str| _ = server.answer(name, &["127.0.0.1", "169.254.169.254"]);
    vec![
        Case::of(DNS, "changes", Receiver::Named(changes)).fails("refused", METADATA),
        Case::of(DNS, "1,000 answers", Receiver::Named(many))
            .fails("refused", "{name} is refused: it has 1000 addresses, and a name may have 64"),
        Case::of(DNS, "never answers", Receiver::Named(hangs)).fails(
            "timeout",
            "{name} was not resolved within 2000 ms: the name server {name server} did not answer",
        ),
        Case::of("a name with one good and one forbidden address", "", Receiver::Named(two)).fails("refused", METADATA),
    ]
}
