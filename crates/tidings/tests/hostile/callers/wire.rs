//! Bytes to and from the server, as no client library would send them.

use std::io;
use std::time::Duration;

use data_encoding::BASE64;
use tidings_runtime::{SystemClock, TimedOut, within};
use tidings_testkit::TestServer;
use tidings_testkit::server::{CLIENT_ID, CLIENT_SECRET};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Longest wait for the server to say all that it will say.
const PATIENCE: Duration = Duration::from_secs(60);
/// A flood is over when it was written down to the last byte, or the server did not take more for this long.
const UNREAD: Duration = Duration::from_secs(2);

/// A connection of its own.
pub(super) async fn connect(server: &TestServer) -> TcpStream {
    let url = Url::parse(server.url()).unwrap();
    TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap()
}

/// Sends bytes, and reads until the server closes the connection. Being cut off while sending is an answer too.
pub(super) async fn exchange(server: &TestServer, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(server).await;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let talk = async {
        let (_, _) = tokio::join!(writing.write_all(bytes), reading.read_to_end(&mut answer));
    };
    match within(&SystemClock::new(), PATIENCE, talk).await {
        Ok(()) => answer,
        Err(TimedOut) => panic!("the server neither ends nor answers {}", start(bytes)),
    }
}

/// Sends bytes for as long as the server takes them, while everything that it says is read. What it said, and how many bytes it took.
pub(super) async fn flood(server: &TestServer, mut bytes: impl FnMut() -> Option<Vec<u8>>) -> (Vec<u8>, usize) {
    let mut stream = connect(server).await;
    let (mut reading, mut writing) = stream.split();
    let (mut answer, mut sent) = (Vec::new(), 0);
    let clock = SystemClock::new();
    let write = async {
        while let Some(more) = bytes() {
            if !matches!(within(&clock, UNREAD, writing.write_all(&more)).await, Ok(Ok(()))) {
                break;
            }
            sent += more.len();
        }
        writing.shutdown().await
    };
    let read = async {
        let ended: io::Result<usize> = reading.read_to_end(&mut answer).await;
        ended
    };
    let both = async { tokio::join!(write, read) };
    let _ = within(&clock, PATIENCE, both).await; // one that is not ended by the server is ended by us
    (answer, sent)
}

/// The head of an honest `POST` by the test credential, without its empty line.
pub(super) fn post(path: &str) -> String {
    let credential = BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
    format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credential}\r\ncontent-type: application/json\r\n")
}

/// The statuses of the answers in a text, in order.
pub(super) fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let heads = text.split("HTTP/1.").skip(1); // then the last figure of the version, and a space
    heads.filter_map(|head| head.get(2..5)?.parse().ok()).collect()
}

/// The beginning of some bytes, for people.
pub(super) fn start(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned()
}
