//! Real connections: how many, how long, and how they end.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use tidings_runtime::{Clock, Shutdown};
use tidings_server::{ServeLimits, serve};
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
            world.state.clone(),
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
async fn a_connection_on_which_nothing_comes_is_closed_after_a_minute() {
    for sent in ["", "P", "POST /v1/ev", "PRI * HTTP/2.0\r\n"] {
        let served = Served::new(ServeLimits::default()).await;
        let mut stream = served.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let got = served.while_time_passes(rest(&mut stream)).await;
        assert!(!got.contains(" 200 "), "{sent:?}: {got}");
        assert!((60..=70).contains(&served.seconds()), "{sent:?}: {}", served.seconds());
    }
}

#[tokio::test]
async fn a_connection_between_requests_is_closed_after_a_minute() {
    let served = Served::new(ServeLimits::default()).await;
    let mut stream = served.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(served.while_time_passes(rest(&mut stream)).await, "");
    assert!((60..=70).contains(&served.seconds()), "{}", served.seconds());
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

#[tokio::test]
async fn beyond_the_limit_connections_wait_until_there_is_a_place() {
    let served = Served::new(ServeLimits { connections_max: 1 }).await;
    let health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = served.connect().await;
    first.write_all(health).await.unwrap();
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 200 "));
    let mut second = served.connect().await;
    second.write_all(health).await.unwrap();
    for _ in 0..20 {
        first.write_all(health).await.unwrap();
        assert!(answer(&mut first).await.starts_with("HTTP/1.1 200 "));
    }
    let unanswered = second.try_read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(unanswered, Err(std::io::ErrorKind::WouldBlock));
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200 "));
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
