//! Requests of HTTP/1.1 that break its rules or our bounds.

use super::Siege;
use super::wire::{exchange, post, start, statuses};
use crate::EVENT;

/// The most that the server may grow by while all of them are sent.
const GROWTH_KIB_MAX: u64 = 32 * 1024;
/// Bytes of one large thing: more than any bound on a head.
const LARGE: usize = 200 * 1024;

/// A request, the statuses of its answers, and a word of the last one.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
    word: &'static str,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, statuses: &'static [u16], word: &'static str) -> Case {
    Case {
        name,
        bytes: bytes.into(),
        statuses,
        word,
    }
}

/// A request with these headers and that body, on a connection that ends with it.
fn with(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("{}{headers}connection: close\r\n\r\n", post("/v1/events"));
    [head.as_bytes(), body.as_ref()].concat()
}

/// A request with that body, whose length is said.
fn body(body: impl AsRef<[u8]>) -> Vec<u8> {
    with(&format!("content-length: {}\r\n", body.as_ref().len()), body)
}

fn heads() -> Vec<Case> {
    let many = |count: usize| (0..count).map(|number| format!("a{number}: b\r\n")).collect::<Vec<_>>().concat();
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    vec![
        case("10,000 headers", with(&many(10_000), ""), &[431], ""),
        case("101 headers", with(&many(101), ""), &[431], ""),
        case(
            "a header of 200 KB",
            with(&format!("x-large: {}\r\n", "x".repeat(LARGE)), ""),
            &[431],
            "",
        ),
        case("a URL of 200 KB", get(&format!("/{}", "x".repeat(LARGE))), &[431], ""),
        case(
            "a URL of 60 KB",
            get(&format!("/{}", "x".repeat(60_000))),
            &[404],
            "there is nothing at /xxx",
        ),
        case("a query of 60 KB", get(&format!("/healthz?{}", "x".repeat(60_000))), &[200], ""),
        case("TLS", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[400], ""),
        case(
            "no host",
            "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n",
            &[400],
            "one Host header",
        ),
        case(
            "two hosts",
            "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n",
            &[400],
            "one Host header",
        ),
        case("HTTP/1.0 without a host", "GET /healthz HTTP/1.0\r\n\r\n", &[200], ""),
        case("no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", &[400], ""),
        case("HTTP/9", "GET / HTTP/9.9\r\n\r\n", &[400], ""),
        case("a header with NUL", with("x-a: b\0c\r\n", ""), &[400], ""),
        case("a header in two lines", with("x-a: b\r\n c\r\n", ""), &[400], ""),
        case("white space before the colon", with("content-length : 5\r\n", "hello"), &[400], ""),
        case(
            "another host to ask",
            get("http://169.254.169.254/latest/meta-data"),
            &[404],
            "there is nothing at /latest",
        ),
        case(
            "a tunnel to ask for",
            "CONNECT 169.254.169.254:80 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            &[404],
            "",
        ),
    ]
}

/// Two readers of these could disagree about where the request ends; the second request must never be answered.
fn smuggled() -> Vec<Case> {
    let hidden = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let keeping = |headers: &str, body: &str| format!("{}{headers}\r\n{body}{hidden}", post("/v1/events"));
    vec![
        case(
            "two content-lengths",
            keeping("content-length: 0\r\ncontent-length: 5\r\n", ""),
            &[400],
            "",
        ),
        case("a list of content-lengths", keeping("content-length: 0, 5\r\n", ""), &[400], ""),
        case("a content-length with a sign", keeping("content-length: +0\r\n", ""), &[400], ""),
        case("a negative content-length", keeping("content-length: -1\r\n", ""), &[400], ""),
        case(
            "content-length and chunks",
            keeping("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            &[400],
            "",
        ),
        case(
            "chunks and content-length",
            keeping("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
            &[400],
            "",
        ),
        case(
            "chunks that are not the last coding",
            keeping("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
            &[400],
            "",
        ),
        case(
            "a coding that is almost chunked",
            keeping("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
            &[400],
            "",
        ),
        case(
            "chunks in HTTP/1.0",
            keeping("transfer-encoding: chunked\r\n", "0\r\n\r\n").replacen("HTTP/1.1", "HTTP/1.0", 1),
            &[400],
            "",
        ),
        case(
            "a chunk whose size overflows",
            keeping("transfer-encoding: chunked\r\n", "fffffffffffffffff\r\n"),
            &[400],
            "",
        ),
        case(
            "a chunk whose size is no number",
            keeping("transfer-encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
            &[400],
            "",
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let chunked = |chunks: String| with("transfer-encoding: chunked\r\n", chunks);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let deep = |open: &str, depth: usize| body(format!(r#"{{"eventKey":"a.b","payload":{{"a":{}"#, open.repeat(depth)));
    let gzip = with("content-encoding: gzip\r\ncontent-length: 3\r\n", b"\x1f\x8b\x08");
    vec![
        case(
            "a body of 10 GB, announced",
            with("content-length: 10000000000\r\n", ""),
            &[413],
            "264192 bytes",
        ),
        case("a body in chunks without end", chunked(chunk.repeat(200)), &[413], "264192 bytes"),
        case(
            "an extension of a chunk without end",
            chunked(format!("5;{}", "x".repeat(LARGE))),
            &[400],
            "",
        ),
        case(
            "trailers without end",
            chunked(format!("2\r\n{{}}\r\n0\r\n{}", "a: b\r\n".repeat(20_000))),
            &[400],
            "",
        ),
        case("a body of gzip", gzip, &[415], "the content encoding is 'gzip'"),
        case("100,000 open arrays", deep("[", 100_000), &[400], ""),
        case("40,000 open objects", deep(r#"{"a":"#, 40_000), &[400], ""),
        case(
            "a key twice",
            body(r#"{"eventKey":"a.b","eventKey":"a.b","payload":{}}"#),
            &[422],
            "eventKey",
        ),
        case("NaN", body(r#"{"eventKey":"a.b","payload":{"a":NaN}}"#), &[400], ""),
        case(
            "bytes that are no UTF-8",
            body(b"{\"eventKey\":\"a.b\",\"payload\":{\"a\":\"\xff\"}}"),
            &[400],
            "UTF-8",
        ),
        case(
            "half a surrogate",
            body(r#"{"eventKey":"a.b","payload":{"a":"\ud800"}}"#),
            &[422],
            "",
        ),
        case("no body at all", body(""), &[400], ""),
    ]
}

/// What anybody may send is small, whatever it says.
fn strangers() -> Vec<Case> {
    let stranger = |path: &str, kind: &str, length: usize| {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        head + &"a".repeat(length)
    };
    let form = "application/x-www-form-urlencoded";
    vec![
        case(
            "a large credential",
            stranger("/auth/vendor", "application/json", 5_000),
            &[413],
            "4096 bytes",
        ),
        case("a large sign-in", stranger("/signin", form, 20_000), &[413], "16384 bytes"),
        case("a large invitation", stranger("/invitation", form, 20_000), &[413], "16384 bytes"),
        case(
            "an event of nobody",
            stranger("/v1/events", "application/json", 200_000),
            &[401],
            "",
        ),
        case("a page of nobody", stranger("/account/password", form, 200_000), &[401], ""),
    ]
}

/// Many requests in one piece: each is answered, in order.
fn pipelined() -> Case {
    let one = format!("{}content-length: {}\r\n\r\n{EVENT}", post("/v1/events"), EVENT.len());
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    case("500 requests in one piece", format!("{}{last}", one.repeat(500)), &[], "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_break_the_rules_are_refused_with_a_status_and_cost_nobody_anything() {
    let siege = Siege::begin(&[]).await;
    let mut wrong = Vec::new();
    for case in heads().into_iter().chain(smuggled()).chain(bodies()).chain(strangers()) {
        let answer = exchange(&siege.server, &case.bytes).await;
        let said = statuses(&answer);
        let text = String::from_utf8_lossy(&answer);
        if said != case.statuses || !text.contains(case.word) {
            wrong.push(format!(
                "{}: {said:?} instead of {:?} {}\n    {}",
                case.name,
                case.statuses,
                case.word,
                start(&answer)
            ));
        }
    }
    let answer = exchange(&siege.server, &pipelined().bytes).await;
    let said = statuses(&answer);
    assert!(said.len() == 501 && said[..500].iter().all(|status| *status == 202), "{said:?}");
    println!("{}", siege.end("requests that break the rules", GROWTH_KIB_MAX).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
