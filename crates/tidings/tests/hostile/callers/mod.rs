//! Hostile callers: what each is answered, what it costs, and that a producer beside it does not notice.

mod crowds;
mod http1;
mod http2;
mod producer;
mod wire;

use tidings_testkit::TestServer;

use crate::BINARY;
use producer::Producer;

/// A server under attack, with a producer that goes on publishing.
struct Siege {
    server: TestServer,
    producer: Producer,
    before_kib: u64,
    sockets_before: usize,
}

impl Siege {
    /// Starts the server as an operator does who says nothing but these arguments, and lets the producer begin.
    async fn begin(arguments: &[&str]) -> Self {
        let server = TestServer::start_with(BINARY, arguments).await;
        let process = server.process();
        let producer = Producer::start(&server).await;
        process.forget_peak();
        Self {
            before_kib: process.memory_kib(),
            sockets_before: process.sockets(),
            producer,
            server,
        }
    }

    /// Ends it: the producer was served all the time, the server never grew by more than that, and every socket of the attack was given back. Its
    /// figures, in a line.
    async fn end(self, name: &str, growth_kib_max: u64) -> String {
        let process = self.server.process();
        process.sockets_fall_to(self.sockets_before).await;
        let peak_kib = process.peak_kib();
        let published = self.producer.stop().await;
        assert!(
            peak_kib < self.before_kib + growth_kib_max,
            "{name}: the server grew from {} to {peak_kib} KiB",
            self.before_kib
        );
        format!(
            "{name}: {} KiB before, {peak_kib} KiB at most; beside it {} events, the slowest in {} ms",
            self.before_kib, published.count, published.slowest_ms
        )
    }
}
