//! The sink as its callers see it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::figures::SinkFigures;

/// A sink of this process: its URL, and what it counts.
pub(crate) async fn start() -> (String, Counts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Listening::at(listener.local_addr().unwrap()).listening;
    let counts = Counts::default();
    TASKS.spawn(serve(listener, Arc::clone(&counts)));
    (url, counts)
}

/// The tasks of all sinks; each ends with the runtime of its test.
static TASKS: std::sync::LazyLock<tokio_util::task::TaskTracker> = std::sync::LazyLock::new(tokio_util::task::TaskTracker::new);

/// One request and everything that comes back, on a connection of its own.
async fn call(sink: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(sink.trim_start_matches("http://")).await.unwrap();
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: sink\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn figures(sink: &str, query: &str) -> SinkFigures {
    let answer = call(sink, "GET", &format!("/figures{query}"), "").await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn the_path_says_how_to_answer_and_every_request_counts() {
    let (sink, _) = start().await;
    for (path, status) in [("/ok/a", "200"), ("/delay/1/a", "200"), ("/status/503/a", "503"), ("/other", "404")] {
        let answer = call(&sink, "POST", path, r#"{"benchSequence":7,"benchSentUs":1}"#).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
    let figures = figures(&sink, "").await;
    assert_eq!(figures.paths.keys().collect::<Vec<_>>(), ["/delay/1/a", "/ok/a", "/status/503/a"]);
    assert_eq!(
        (figures.total.received, figures.total.distinct, figures.end_to_end.count),
        (3, 3, 1)
    );
}

#[tokio::test]
async fn a_hanging_path_counts_and_never_answers() {
    let (sink, _) = start().await;
    let mut stream = TcpStream::connect(sink.trim_start_matches("http://")).await.unwrap();
    let request = "POST /hang/a HTTP/1.1\r\nhost: sink\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(request.as_bytes()).await.unwrap();
    while figures(&sink, "").await.total.received == 0 {}
    let nothing = stream.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_reset_forgets_and_paths_can_be_left_out() {
    let (sink, _) = start().await;
    call(&sink, "POST", "/ok/a", "{}").await;
    let brief = figures(&sink, "?paths=false").await;
    assert_eq!((brief.total.received, brief.paths.len()), (1, 0));
    assert!(call(&sink, "POST", "/reset", "").await.starts_with("HTTP/1.1 204 "));
    assert_eq!(figures(&sink, "").await, SinkFigures::default());
}
