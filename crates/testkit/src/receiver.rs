//! A receiver of webhooks that does what a test tells it to, from the ordinary to the hostile.
//!
//! It listens on a port of its own on 127.0.0.1, writes down every request that it has read whole, and answers as its script says. It speaks HTTP/1.1
//! by hand, so that it can break every rule of it, and HTTP/2 over TLS. Its tasks end when it is dropped.

mod behaviour;
mod certificate;
mod http1;
mod http2;
mod script;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64_MIME;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tidings_model::Timestamp;
use tidings_runtime::{Clock, OnError, Shutdown, SystemClock, TaskSet, TimedOut, within};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

pub use behaviour::Behaviour;
pub use certificate::Certificate;
use script::Script;

/// How long [`TestReceiver::wait_for`] waits before it says that the requests will never come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Bytes,
    /// When it had been read.
    pub at: Timestamp,
    /// Which connection carried it: the first is 1.
    pub connection: usize,
}

impl Received {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// The receiver. Answers 200 with an empty body until it is told otherwise.
pub struct TestReceiver {
    address: SocketAddr,
    scheme: &'static str,
    root: Option<CertificateDer<'static>>,
    shared: Arc<Shared>,
    shutdown: Shutdown,
}

/// What the tasks of a receiver and its owner share.
struct Shared {
    clock: SystemClock,
    script: Script,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    changed: Notify,
}

/// How a receiver speaks.
#[derive(Clone)]
enum Protocol {
    Http,
    Https(Arc<ServerConfig>),
    Http2(Arc<ServerConfig>),
    Bytes(Bytes),
}

impl TestReceiver {
    /// Plain HTTP/1.1.
    pub async fn start() -> Self {
        Self::listen(Protocol::Http, None).await
    }

    /// HTTP/1.1 over TLS with that certificate.
    pub async fn start_tls(certificate: Certificate) -> Self {
        let issued = certificate.issue(b"http/1.1");
        Self::listen(Protocol::Https(issued.config), Some(issued.root)).await
    }

    /// HTTP/2 over TLS with a good certificate. Knows [`Behaviour::Reply`], [`Behaviour::Stall`], [`Behaviour::Huge`], [`Behaviour::ManyHeaders`] and
    /// [`Behaviour::GoAway`], the last on every request of the receiver.
    pub async fn start_http2() -> Self {
        let issued = Certificate::Good.issue(b"h2");
        Self::listen(Protocol::Http2(issued.config), Some(issued.root)).await
    }

    /// No protocol at all: waits for the first bytes of a connection, sends these, and closes.
    pub async fn start_bytes(bytes: impl Into<Bytes>) -> Self {
        Self::listen(Protocol::Bytes(bytes.into()), None).await
    }

    async fn listen(protocol: Protocol, root: Option<CertificateDer<'static>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            clock: SystemClock::new(),
            script: Script::default(),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        let shutdown = Shutdown::new();
        let tasks = TaskSet::new(shutdown.clone());
        let scheme = if matches!(protocol, Protocol::Http) { "http" } else { "https" };
        tasks.spawn(
            "receiver",
            OnError::Log,
            accept(listener, protocol, Arc::clone(&shared), tasks.clone()),
        );
        Self {
            address,
            scheme,
            root,
            shared,
            shutdown,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, by address.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The URL of a path, by a name that a resolver leads here.
    pub fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// The certificate authority that a client has to trust to speak with it.
    pub fn root(&self) -> CertificateDer<'static> {
        self.root.clone().expect("only a receiver with TLS has a certificate")
    }

    /// The same as a file of certificates holds it.
    pub fn root_pem(&self) -> String {
        let lines = BASE64_MIME.encode(&self.root());
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    }

    /// From now on every request is met like this, unless its path or the queue says otherwise.
    pub fn always(&self, behaviour: Behaviour) -> &Self {
        self.shared.script.always(behaviour);
        self
    }

    /// From now on requests for that path (with its query) are met like this.
    pub fn at(&self, path: &str, behaviour: Behaviour) -> &Self {
        self.shared.script.at(path, behaviour);
        self
    }

    /// The next requests, of any path, are met like this, one each.
    pub fn next(&self, behaviours: impl IntoIterator<Item = Behaviour>) -> &Self {
        self.shared.script.next(behaviours);
        self
    }

    /// What has arrived so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until that many requests have arrived, and returns all that have. Panics when they do not come.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let arrived = async {
            loop {
                let changed = self.shared.changed.notified();
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                changed.await;
            }
        };
        match within(&self.shared.clock, PATIENCE, arrived).await {
            Ok(received) => received,
            Err(TimedOut) => panic!("waited for {count} requests, only {} came", self.received().len()),
        }
    }
}

impl Drop for TestReceiver {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}

impl Shared {
    fn record(&self, request: Received) {
        self.received.lock().push(request);
        self.changed.notify_waiters();
    }

    /// A little time: long enough that a drip is a drip, short enough for a test.
    async fn pause(&self) {
        self.clock.sleep(Duration::from_millis(20)).await;
    }
}

async fn accept(listener: TcpListener, protocol: Protocol, shared: Arc<Shared>, tasks: TaskSet) -> io::Result<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
        tasks.spawn(
            "receiver connection",
            OnError::Log,
            serve(tcp, protocol.clone(), Arc::clone(&shared), number),
        );
    }
}

/// Serves one connection. Whatever ends it is the client's doing or the script's wish: a test looks at the client for what it means.
async fn serve(tcp: TcpStream, protocol: Protocol, shared: Arc<Shared>, number: usize) -> io::Result<()> {
    let _ = match protocol {
        Protocol::Bytes(bytes) => http1::send_bytes(tcp, &bytes).await,
        Protocol::Http => http1::serve(tcp, &shared, number).await,
        Protocol::Https(config) => match TlsAcceptor::from(config).accept(tcp).await {
            Ok(tls) => http1::serve(tls, &shared, number).await,
            Err(refused) => Err(refused),
        },
        Protocol::Http2(config) => match TlsAcceptor::from(config).accept(tcp).await {
            Ok(tls) => http2::serve(tls, &shared, number).await,
            Err(refused) => Err(refused),
        },
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn exchange(tcp: &mut TcpStream, text: &str, until: &str) -> String {
        tcp.write_all(text.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).ends_with(until) {
            assert_ne!(
                tcp.read_buf(&mut seen).await.unwrap(),
                0,
                "closed after {}",
                String::from_utf8_lossy(&seen)
            );
        }
        String::from_utf8(seen).unwrap()
    }

    #[tokio::test]
    async fn it_writes_down_what_arrived_and_answers_by_path_and_by_queue() {
        let receiver = TestReceiver::start().await;
        receiver.at("/gone", Behaviour::status(410)).next([Behaviour::status(503)]);
        let mut tcp = TcpStream::connect(receiver.address()).await.unwrap();
        let first = exchange(
            &mut tcp,
            "POST /a?b=1 HTTP/1.1\r\nHost: h\r\nX-One: two\r\nContent-Length: 3\r\n\r\nabc",
            "\r\n\r\n",
        )
        .await;
        let second = exchange(&mut tcp, "POST /gone HTTP/1.1\r\ncontent-length: 0\r\n\r\n", "\r\n\r\n").await;
        assert!(
            first.starts_with("HTTP/1.1 503 ") && second.starts_with("HTTP/1.1 410 "),
            "{first}{second}"
        );
        let received = receiver.wait_for(2).await;
        assert_eq!(
            (received[0].method.as_str(), received[0].path.as_str(), &received[0].body[..]),
            ("POST", "/a?b=1", &b"abc"[..])
        );
        assert_eq!((received[0].header("x-one"), receiver.connections()), (Some("two"), 1));
    }

    #[tokio::test]
    async fn its_port_is_closed_when_it_is_dropped() {
        let receiver = TestReceiver::start().await;
        let address = receiver.address();
        let mut open = TcpStream::connect(address).await.unwrap();
        drop(receiver);
        let _ = open.read(&mut [0]).await; // ends only when the receiver's tasks have ended
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}
