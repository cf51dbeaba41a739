//! What happens to the node from outside: it is set up, asked one request at a time, and left alone until it has nothing more to do.
//!
//! Never knows: which tool watches.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::node::Hello;
use super::road::{Road, TENANTS};
use super::{quiet, wire};

/// Longest wait for anything that the node has to do: tools slow it down fifty times.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts a command line that ends with the node's, and takes the node down the road: first what warms it up, then, between two marks, the events that
/// are measured.
pub(super) async fn run(command: &mut Command, road: &Road) -> anyhow::Result<()> {
    let sink = Sink::listen().await?;
    let mut node = Node::start(command).await?;
    let driven = async {
        node.set_up(road, &sink).await?;
        node.send(road, &sink, 0, road.warming).await?;
        node.mark().await?;
        node.send(road, &sink, road.warming, road.measured).await?;
        node.mark().await
    };
    driven.await.context("the node could not be taken down the road")?;
    node.stop().await
}

/// The node, its standard input, and the one connection to it.
struct Node {
    process: Child,
    marks: ChildStdin,
    hello: Hello,
    connection: TcpStream,
    read: Vec<u8>,
}

impl Node {
    async fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start {}: install the packages valgrind and strace",
                    command.as_std().get_program().display()
                )
            })?;
        let out = process.stdout.take().context("the output was piped")?;
        let marks = process.stdin.take().context("the input was piped")?;
        let mut line = String::new();
        let mut out = BufReader::new(out);
        patiently("listen", async { Ok(out.read_line(&mut line).await?) }).await?;
        let hello: Hello = serde_json::from_str(&line).context("the node ended before it listened")?;
        ensure!(hello.optimised, "a debug build says nothing: use `cargo run --release`");
        let address: SocketAddr = hello.address.parse()?;
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        Ok(Self {
            process,
            marks,
            hello,
            connection,
            read: Vec::new(),
        })
    }

    /// One request, and its answer, which has to have that status.
    async fn ask(&mut self, method: &str, path: &str, body: &str, wanted: u16) -> anyhow::Result<()> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.hello.address,
            self.hello.token,
            body.len()
        );
        self.connection.write_all(request.as_bytes()).await?;
        let answer = patiently("answer", wire::read(&mut self.connection, &mut self.read)).await?;
        let answer = answer.context("the node closed its connection")?;
        if answer.status() != Some(wanted) {
            bail!("{method} {path}: {}: {}", answer.first_line, String::from_utf8_lossy(&answer.body));
        }
        Ok(())
    }

    async fn set_up(&mut self, road: &Road, sink: &Sink) -> anyhow::Result<()> {
        let path = format!("/v1/environments/{}", self.hello.environment);
        self.ask("PATCH", &path, r#"{"settings":{"httpAllowed":true}}"#, 200).await?;
        for webhook in road.webhooks(&sink.addresses) {
            self.ask("POST", "/v1/webhooks", &webhook, 201).await?;
        }
        self.quiet().await
    }

    /// Sends the requests with those numbers, each when the one before has left nothing to do.
    async fn send(&mut self, road: &Road, sink: &Sink, first: usize, requests: usize) -> anyhow::Result<()> {
        for number in first..first + requests {
            let (path, body) = road.request(number);
            self.ask("POST", path, &body, 202).await?;
            sink.wait_for((number + 1) * road.deliveries_per_request()).await?;
            self.quiet().await?;
        }
        Ok(())
    }

    async fn quiet(&self) -> anyhow::Result<()> {
        patiently("come to rest", quiet::wait_for(self.hello.pid)).await
    }

    async fn mark(&mut self) -> anyhow::Result<()> {
        self.marks.write_all(b"mark\n").await?;
        self.quiet().await
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        drop((self.marks, self.connection));
        let status = patiently("end", async { Ok(self.process.wait().await?) }).await?;
        ensure!(status.success(), "the node ended with {status}");
        Ok(())
    }
}

/// Receivers of what the node sends, which answer 200 to all of it, and count.
struct Sink {
    addresses: [SocketAddr; TENANTS],
    received: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Sink {
    async fn listen() -> anyhow::Result<Self> {
        let received = Arc::new(AtomicUsize::new(0));
        let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); TENANTS];
        let mut serving = JoinSet::new();
        for address in &mut addresses {
            let listener = TcpListener::bind(*address).await?;
            *address = listener.local_addr()?;
            serving.spawn(serve(listener, Arc::clone(&received)));
        }
        Ok(Self {
            addresses,
            received,
            _serving: serving,
        })
    }

    async fn wait_for(&self, deliveries: usize) -> anyhow::Result<()> {
        let coming = async {
            while self.received.load(Ordering::Acquire) < deliveries {
                crate::time::pause(Duration::from_millis(1)).await;
            }
            Ok(())
        };
        patiently("deliver", coming).await
    }
}

async fn serve(listener: TcpListener, count: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(receive(stream, Arc::clone(&count)));
    }
}

async fn receive(mut stream: TcpStream, count: Arc<AtomicUsize>) {
    let mut buffer = Vec::new();
    while let Ok(Some(_)) = wire::read(&mut stream, &mut buffer).await {
        count.fetch_add(1, Ordering::Release);
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool that hangs must not hang the check")]
async fn patiently<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| bail!("the node did not {what} within {} s", PATIENCE.as_secs()))
}
