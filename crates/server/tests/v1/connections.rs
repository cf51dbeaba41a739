//! Real connections: how many, how long, and how they end.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use parking_lot::Mutex;
use tidings_runtime::{Clock, Shutdown};
use tidings_server::{ServeLimits, router, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::world::{CLIENT_ID, CLIENT_SECRET, START, World};

/// A server of a world on a port of its own.
struct Served {
    world: World,
    address: SocketAddr,
    shutdown: Shutdown,
    serving: JoinSet<std::io::Result<()>>,
}

impl Served {
    async fn new(limits: ServeLimits) -> Self {
        let world = World::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(
            listener,
            router(world.state.clone()),
            Arc::clone(&world.state.clock),
            limits,
            shutdown.clone(),
            Duration::from_secs(10),
        ));
        Self {
            world,
            address,
            shutdown,
            serving,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Lets time pass, a second at a time, until the work is done.
    async fn while_time_passes<T>(&self, work: impl Future<Output = T>) -> T {
        let time = async {
            loop {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                self.world.clock.advance(Duration::from_secs(1));
            }
        };
        tokio::select! {
            biased;
            output = work => output,
            () = time => unreachable!("time does not end"),
        }
    }

    /// Seconds since the world began.
    fn seconds(&self) -> u64 {
        self.world.clock.now().since(START).as_secs()
    }

    /// Waits until the server has ended.
    async fn ended(&mut self) {
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Everything until the peer closes; a reset is a close too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

/// The head of one answer, and as much of its body as came with it.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 8 * 1024];
    let length = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn publish_head(length: usize) -> String {
    let credential = BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
    format!("POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credential}\r\ncontent-length: {length}\r\n\r\n")
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const EVENT: &str = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;

#[tokio::test]
async fn requests_share_a_connection() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        stream
            .write_all(format!("{}{EVENT}", publish_head(EVENT.len())).as_bytes())
            .await
            .unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 202 "));
    }
    assert_eq!(served.world.count("/v1/events").await, 3);
}

#[tokio::test]
async fn http_2_is_spoken_without_being_asked_for() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&empty_settings).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "a SETTINGS frame comes first");
}

#[tokio::test]
async fn a_connection_on_which_no_request_comes_is_closed_after_fifteen_seconds() {
    for sent in ["", "P", "POST /v1/ev", "PRI * HTTP/2.0\r\n"] {
        let served = Served::new(ServeLimits::default()).await;
        let mut stream = served.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let got = served.while_time_passes(rest(&mut stream)).await;
        assert!(!got.contains(" 200 "), "{sent:?}: {got}");
        assert!((15..=20).contains(&served.seconds()), "{sent:?}: {}", served.seconds());
    }
}

#[tokio::test]
async fn a_connection_between_requests_is_closed_after_half_a_minute() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(served.while_time_passes(rest(&mut stream)).await, "");
    assert!((30..=35).contains(&served.seconds()), "{}", served.seconds());
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for_without_end() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    stream
        .write_all(format!("{}{{", publish_head(EVENT.len())).as_bytes())
        .await
        .unwrap();
    let got = served.while_time_passes(rest(&mut stream)).await;
    assert!(
        got.starts_with("HTTP/1.1 400 ") && got.contains("did not arrive within 30 seconds"),
        "{got}"
    );
    assert!((30..=40).contains(&served.seconds()), "{}", served.seconds());
    assert_eq!(served.world.count("/v1/events").await, 0);
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_large_is_refused_before_it_is_read() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    stream.write_all(publish_head(1_000_000_000).as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_cut_off() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    let head = publish_head(0).replace("content-length: 0", "transfer-encoding: chunked");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..5 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(80 * 1024));
    let _ = stream.write_all(head.as_bytes()).await; // it may be cut off while it is sent
    let got = rest(&mut stream).await;
    assert!(got.is_empty() || got.starts_with("HTTP/1.1 431 "), "{got}");
}

/// A connection on which one request has been answered.
async fn asked(served: &Served) -> TcpStream {
    let mut stream = served.connect().await;
    stream.write_all(HEALTH).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    stream
}

/// Whether the server has closed a connection, as far as can be seen without waiting.
fn is_closed(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 1]) {
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        Ok(length) => length == 0,
    }
}

#[tokio::test]
async fn idle_strangers_lock_nobody_out_and_the_longest_idle_makes_room() {
    let served = Served::new(ServeLimits { connections_max: 3 }).await;
    let mut silent = served.connect().await;
    served.world.settle().await;
    served.world.clock.advance(Duration::from_secs(2));
    let between_requests = asked(&served).await;
    served.world.clock.advance(Duration::from_secs(2));
    let mut half_a_head = served.connect().await;
    half_a_head.write_all(b"GET /hea").await.unwrap();
    served.world.settle().await;
    served.world.clock.advance(Duration::from_secs(2));

    let _first = asked(&served).await;
    assert_eq!(rest(&mut silent).await, "", "the one that was silent for longest is closed");
    assert!(!is_closed(&between_requests) && !is_closed(&half_a_head), "one is enough");
    let _second = asked(&served).await;
    let mut between_requests = between_requests;
    assert_eq!(rest(&mut between_requests).await, "");
    assert!(!is_closed(&half_a_head));
    let _third = asked(&served).await;
    assert_eq!(rest(&mut half_a_head).await, "");
    assert_eq!(served.seconds(), 6, "nobody waited");
}

#[tokio::test]
async fn a_connection_keeps_its_place_while_its_request_is_under_way() {
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let mut busy = served.connect().await;
    let (start, end) = EVENT.split_at(10);
    busy.write_all(format!("{}{start}", publish_head(EVENT.len())).as_bytes())
        .await
        .unwrap();
    served.world.settle().await;
    let mut waiting = served.connect().await;
    waiting.write_all(HEALTH).await.unwrap();
    for _ in 0..2 {
        served.world.settle().await;
        served.world.clock.advance(Duration::from_secs(1));
    }
    assert!(!is_closed(&busy), "it is not idle");
    let unanswered = waiting.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(unanswered, Err(std::io::ErrorKind::WouldBlock));
    busy.write_all(end.as_bytes()).await.unwrap();
    assert!(answer(&mut busy).await.starts_with("HTTP/1.1 202 "));
    let answered = served.while_time_passes(answer(&mut waiting)).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn a_request_that_drips_gives_its_place_to_another_after_three_seconds() {
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let mut dripping = served.connect().await;
    dripping.write_all(publish_head(EVENT.len()).as_bytes()).await.unwrap();
    served.world.settle().await;
    let mut waiting = served.connect().await;
    waiting.write_all(HEALTH).await.unwrap();
    for _ in 0..2 {
        served.world.settle().await;
        served.world.clock.advance(Duration::from_secs(1));
        assert!(!is_closed(&dripping), "after {} seconds", served.seconds());
        dripping.write_all(b" ").await.unwrap(); // a drip is no progress
    }
    let answered = served.while_time_passes(answer(&mut waiting)).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    assert!((3..=5).contains(&served.seconds()), "{}", served.seconds());
    assert_eq!(rest(&mut dripping).await, "");
    assert_eq!(served.world.count("/v1/events").await, 0);
}

#[tokio::test]
async fn a_request_that_arrives_in_pieces_is_taken_while_nobody_needs_its_place() {
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let mut slow = served.connect().await;
    slow.write_all(publish_head(EVENT.len()).as_bytes()).await.unwrap();
    let (start, end) = EVENT.split_at(10);
    for piece in [start, end] {
        served.world.settle().await;
        served.world.clock.advance(Duration::from_secs(14));
        slow.write_all(piece.as_bytes()).await.unwrap();
    }
    assert!(answer(&mut slow).await.starts_with("HTTP/1.1 202 "));
    let mut next = slow;
    next.write_all(HEALTH).await.unwrap();
    assert!(answer(&mut next).await.starts_with("HTTP/1.1 200 "), "its place is its own again");
}

#[tokio::test]
async fn a_connection_that_has_just_come_is_not_closed_for_another() {
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let first = asked(&served).await;
    let mut second = served.connect().await;
    second.write_all(HEALTH).await.unwrap();
    served.world.settle().await;
    assert!(!is_closed(&first), "its answer may still be on its way");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_full_server_says_what_to_do_once_a_minute() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let mut held = Vec::new();
    for (seconds, warnings) in [(0, 0), (2, 1), (20, 1), (20, 1), (19, 1), (2, 2), (20, 2)] {
        served.world.clock.advance(Duration::from_secs(seconds));
        held.push(asked(&served).await);
        let said = log.0.lock().clone();
        assert_eq!(said.len(), warnings, "after {} seconds: {said:?}", served.seconds());
    }
    let warnings = log.0.lock().clone();
    assert!(
        warnings[0].contains("connections_max=1 ") && warnings[0].contains("raise max_connections"),
        "{warnings:?}"
    );
}

/// The warnings of this thread: their fields, in a line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{field}={value:?} ");
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_shutdown_closes_the_door_and_finishes_what_is_being_answered() {
    let mut served = Served::new(ServeLimits::default()).await;
    let (mut idle, mut busy) = (served.connect().await, served.connect().await);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200 "));
    let (start, end) = EVENT.split_at(10);
    busy.write_all(format!("{}{start}", publish_head(EVENT.len())).as_bytes())
        .await
        .unwrap();
    served.world.settle().await;
    served.shutdown.begin();
    assert_eq!(rest(&mut idle).await, "", "a connection without a request is closed at once");
    assert!(TcpStream::connect(served.address).await.is_err(), "nobody comes in any more");
    busy.write_all(end.as_bytes()).await.unwrap();
    let got = rest(&mut busy).await;
    assert!(got.starts_with("HTTP/1.1 202 "), "{got}");
    served.ended().await;
    assert_eq!(served.world.count("/v1/events").await, 1);
}

#[tokio::test]
async fn what_is_not_finished_within_the_grace_period_is_cut() {
    let mut served = Served::new(ServeLimits::default()).await;
    let mut busy = served.connect().await;
    busy.write_all(publish_head(EVENT.len()).as_bytes()).await.unwrap();
    served.world.settle().await;
    served.shutdown.begin();
    assert_eq!(served.while_time_passes(rest(&mut busy)).await, "");
    assert!((10..=15).contains(&served.seconds()), "{}", served.seconds());
    served.ended().await;
}

#[tokio::test]
async fn a_forced_shutdown_waits_for_nobody() {
    let mut served = Served::new(ServeLimits::default()).await;
    let mut busy = served.connect().await;
    busy.write_all(publish_head(EVENT.len()).as_bytes()).await.unwrap();
    served.world.settle().await;
    served.shutdown.begin();
    served.world.settle().await;
    served.shutdown.force();
    served.ended().await;
    assert_eq!(rest(&mut busy).await, "");
    assert_eq!(served.seconds(), 0);
}
