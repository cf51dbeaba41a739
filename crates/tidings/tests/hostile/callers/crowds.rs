//! Many connections that do little or nothing, and who gets in beside them.

use std::time::Duration;

use tidings_runtime::{Clock, Stopwatch, SystemClock, within};
use tidings_testkit::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Siege;
use super::wire::{connect, exchange, post, statuses};
use crate::EVENT;

/// Connections of the crowd: more than twice as many as the server serves at the same time.
const CROWD: usize = 10_000;
/// Files that a test has open beside its crowd.
const OTHER_FILES: u64 = 1_000;
/// Longest that a stranger may wait beside a crowd: a bound for a machine that is slow, not a promise.
const PATIENCE: Duration = Duration::from_secs(25);

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Somebody who comes now, asks one thing and leaves. How long it took, in milliseconds.
async fn newcomer(server: &TestServer) -> u64 {
    let clock = SystemClock::new();
    let stopwatch = Stopwatch::start(&clock);
    let answer = within(&clock, PATIENCE, exchange(server, HEALTH))
        .await
        .expect("a newcomer is served");
    assert_eq!(statuses(&answer), [200]);
    stopwatch.elapsed_us(&clock) / 1_000
}

/// A connection that says so much of a request and then nothing.
async fn silent_after(server: &TestServer, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(server).await;
    let _ = stream.write_all(bytes).await; // one that is closed at once is silent too
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_lock_nobody_out() {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(
        files > CROWD as u64 + OTHER_FILES,
        "this machine allows {files} open files: raise the hard limit (ulimit -Hn)"
    );
    let siege = Siege::begin(&[]).await;
    let mut crowd = Vec::new();
    let mut slowest_ms = 0;
    for number in 0..CROWD {
        let bytes: &[u8] = match number % 4 {
            0 => b"",
            1 => b"GET /hea",
            2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _ => b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        };
        crowd.push(silent_after(&siege.server, bytes).await);
        if number % 1_000 == 999 {
            slowest_ms = slowest_ms.max(newcomer(&siege.server).await);
        }
    }
    println!(
        "{CROWD} idle connections: {} sockets of the server, {} KiB; the slowest newcomer in {slowest_ms} ms",
        siege.server.process().sockets(),
        siege.server.process().memory_kib()
    );
    drop(crowd);
    println!("{}", siege.end("idle connections", 128 * 1024).await);
}

/// What a drip says of its request at once, and what it says bit by bit.
struct Drip {
    name: &'static str,
    head: String,
    /// The status of its answer; none when the connection is closed without one.
    answer: Option<u16>,
}

fn drips() -> Vec<Drip> {
    let length = "content-length: 1000\r\n\r\n";
    vec![
        Drip {
            name: "the head",
            head: "GET /healthz HTTP/1.1\r\nx-drip: ".to_owned(),
            answer: None,
        },
        Drip {
            name: "the body of an event",
            head: format!("{}{length}", post("/v1/events")),
            answer: Some(400),
        },
        Drip {
            name: "the body of a stranger's request for a token",
            head: format!("POST /auth/vendor HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}"),
            answer: Some(400),
        },
    ]
}

/// Sends a byte every now and then until the server has had enough. Everything that it said.
async fn drip(mut stream: TcpStream, head: String) -> Vec<u8> {
    let clock = SystemClock::new();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let write = async {
        let mut sent = writing.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            clock.sleep(Duration::from_millis(500)).await;
            sent = writing.write_all(b" ").await;
        }
    };
    tokio::select! {
        _ = reading.read_to_end(&mut answer) => {}
        () = write => {}
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_drips_is_cut_off_and_nobody_waits_for_it() {
    let siege = Siege::begin(&[]).await;
    let mut dripping = JoinSet::new();
    for case in drips() {
        for _ in 0..50 {
            let stream = connect(&siege.server).await;
            let head = case.head.clone();
            dripping.spawn(async move { (case.name, case.answer, drip(stream, head).await) });
        }
    }
    let clock = SystemClock::new();
    let all = async {
        while let Some(ended) = dripping.join_next().await {
            let (name, answer, said) = ended.unwrap();
            assert_eq!(statuses(&said), Vec::from_iter(answer), "{name}");
        }
    };
    within(&clock, Duration::from_secs(90), all).await.expect("every drip is cut off");
    println!("{}", siege.end("150 drips", 32 * 1024).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_come_whole_lock_nobody_out() {
    let siege = Siege::begin(&["--max-connections", "64"]).await;
    let unfinished = [
        "POST /auth/vendor HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
        "POST /signin HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\na=",
    ];
    let mut crowd = Vec::new();
    for number in 0..200 {
        crowd.push(silent_after(&siege.server, unfinished[number % 2].as_bytes()).await);
    }
    let waited_ms = newcomer(&siege.server).await;
    println!("200 unfinished requests for 64 places: a newcomer waited {waited_ms} ms");
    drop(crowd);
    println!("{}", siege.end("unfinished requests", 32 * 1024).await);
}

/// The longest page that anybody may read.
const LONG_ANSWER: &str = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_are_not_piled_up() {
    let siege = Siege::begin(&["--max-connections", "64"]).await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(silent_after(&siege.server, LONG_ANSWER.repeat(50).as_bytes()).await);
    }
    let waited_ms = newcomer(&siege.server).await;
    println!("5,000 long answers for 100 who do not read, at 64 places: a newcomer waited {waited_ms} ms");
    drop(crowd);
    println!("{}", siege.end("unread answers", 96 * 1024).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_vanish_in_the_middle_leave_nothing_behind() {
    let siege = Siege::begin(&[]).await;
    let whole = format!("{}content-length: {}\r\n\r\n{EVENT}", post("/v1/events"), EVENT.len());
    for number in 0..500 {
        let cut = number * whole.len() / 500;
        let stream = silent_after(&siege.server, &whole.as_bytes()[..cut]).await;
        if number % 2 == 0 {
            stream.set_zero_linger().unwrap(); // a reset instead of a goodbye
        }
    }
    println!("{}", siege.end("callers who vanish", 32 * 1024).await);
}

/// Strangers who send as much of a body as they can, and never its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_take_neither_memory_nor_the_room_that_is_for_events() {
    let siege = Siege::begin(&[]).await;
    let form = "POST /signin HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let token = "POST /auth/vendor HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let mut crowd = Vec::new();
    for (head, count, bytes) in [(form, 200, 1_000_000), (token, 640, 430_000)] {
        let chunk = format!("{head}transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n{}\r\n", " ".repeat(bytes));
        for _ in 0..count {
            crowd.push(silent_after(&siege.server, chunk.as_bytes()).await);
        }
    }
    newcomer(&siege.server).await;
    drop(crowd);
    println!("{}", siege.end("strangers' bodies", 64 * 1024).await);
}
