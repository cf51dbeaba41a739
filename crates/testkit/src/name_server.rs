//! A name server on loopback that says what a test wants, over UDP, and over TCP what does not fit.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
use tidings_runtime::{OnError, Shutdown, TaskSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Largest answer over UDP.
const DATAGRAM_BYTES_MAX: usize = 512;
/// Nobody may remember an answer.
const TTL: u32 = 0;
/// Aliases that are followed within one answer.
const CHAIN_MAX: usize = 16;
/// Ports that are tried until one is free for both protocols.
const TRIES: usize = 32;

/// The name server. A name that it was not told of does not exist. Its tasks end when it is dropped.
pub struct TestNameServer {
    address: SocketAddr,
    names: Arc<Names>,
    shutdown: Shutdown,
}

/// Answers by name and kind of record. Both kinds of address are asked for at the same time, and each has its own turn.
#[derive(Default)]
struct Names(Mutex<HashMap<(String, RecordType), Answers>>);

#[derive(Default)]
struct Answers {
    queue: VecDeque<Answer>,
    asked: usize,
}

#[derive(Clone)]
enum Answer {
    Addresses(Vec<IpAddr>),
    Alias { to: String, alone: bool },
    Never,
}

impl TestNameServer {
    /// Listens on a port of its own on 127.0.0.1.
    pub async fn start() -> Self {
        let (udp, tcp) = listen().await;
        let address = udp.local_addr().expect("a bound socket has an address");
        let names = Arc::new(Names::default());
        let shutdown = Shutdown::new();
        let tasks = TaskSet::new(shutdown.clone());
        tasks.spawn("names over UDP", OnError::Log, over_udp(udp, Arc::clone(&names)));
        tasks.spawn("names over TCP", OnError::Log, over_tcp(tcp, Arc::clone(&names), tasks.clone()));
        Self { address, names, shutdown }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds the answer to the next question for that name; the last one added holds for all questions after it.
    pub fn answer(&self, name: &str, addresses: &[&str]) -> &Self {
        let addresses: Vec<IpAddr> = addresses
            .iter()
            .map(|text| text.parse().expect("the test gives addresses"))
            .collect();
        self.add(name, &Answer::Addresses(addresses))
    }

    /// The name is another name for `to`; the answer goes on with what is known of that.
    pub fn alias(&self, name: &str, to: &str) -> &Self {
        let to = to.to_owned();
        self.add(name, &Answer::Alias { to, alone: false })
    }

    /// The name is another name for `to`, and whoever asks has to ask again for that.
    pub fn alias_alone(&self, name: &str, to: &str) -> &Self {
        let to = to.to_owned();
        self.add(name, &Answer::Alias { to, alone: true })
    }

    /// Questions for that name are never answered.
    pub fn hang(&self, name: &str) -> &Self {
        self.add(name, &Answer::Never)
    }

    /// How often the IPv4 addresses of that name were asked for.
    pub fn asked(&self, name: &str) -> usize {
        let all = self.names.0.lock();
        all.get(&(name.to_owned(), RecordType::A)).map_or(0, |answers| answers.asked)
    }

    fn add(&self, name: &str, answer: &Answer) -> &Self {
        let mut all = self.names.0.lock();
        for kind in [RecordType::A, RecordType::AAAA] {
            let answers = all.entry((name.to_owned(), kind)).or_default();
            answers.queue.push_back(answer.clone());
        }
        drop(all);
        self
    }
}

impl Drop for TestNameServer {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}

impl Names {
    fn next(&self, name: &str, kind: RecordType) -> Option<Answer> {
        let mut all = self.0.lock();
        let answers = all.get_mut(&(name.to_owned(), kind))?;
        answers.asked += 1;
        if answers.queue.len() > 1 {
            answers.queue.pop_front()
        } else {
            answers.queue.front().cloned()
        }
    }

    /// The records that answer a question; `None` when it is never answered. An error when there is no such name.
    fn records(&self, name: &Name, kind: RecordType) -> Result<Option<Vec<Record>>, ResponseCode> {
        let mut records = Vec::new();
        let mut owner = name.clone();
        for link in 0..CHAIN_MAX {
            match self.next(&text(&owner), kind) {
                None if link == 0 => return Err(ResponseCode::NXDomain),
                None => break,
                Some(Answer::Never) => return Ok(None),
                Some(Answer::Addresses(addresses)) => {
                    let data = addresses.into_iter().filter_map(|address| match (address, kind) {
                        (IpAddr::V4(v4), RecordType::A) => Some(RData::A(A(v4))),
                        (IpAddr::V6(v6), RecordType::AAAA) => Some(RData::AAAA(AAAA(v6))),
                        _ => None,
                    });
                    records.extend(data.map(|data| Record::from_rdata(owner.clone(), TTL, data)));
                    break;
                }
                Some(Answer::Alias { to, alone }) => {
                    let to = Name::from_ascii(format!("{to}.")).expect("the test gives names");
                    records.push(Record::from_rdata(owner, TTL, RData::CNAME(CNAME(to.clone()))));
                    owner = to;
                    if alone {
                        break;
                    }
                }
            }
        }
        Ok(Some(records))
    }

    /// The answer to a question; `None` when it is never answered, or is no question.
    fn reply(&self, question: &[u8]) -> Option<Message> {
        let asked = Message::from_vec(question).ok()?;
        let query = asked.queries.first()?.clone();
        let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
        reply.metadata.recursion_desired = asked.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        match self.records(query.name(), query.query_type()) {
            Ok(Some(records)) => _ = reply.add_answers(records),
            Ok(None) => return None,
            Err(code) => reply.metadata.response_code = code,
        }
        reply.add_query(query);
        Some(reply)
    }
}

/// A name as tests write it.
fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

async fn listen() -> (UdpSocket, TcpListener) {
    for _ in 0..TRIES {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = udp.local_addr().expect("a bound socket has an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn over_udp(socket: UdpSocket, names: Arc<Names>) -> io::Result<()> {
    let mut question = [0; 4_096];
    loop {
        let (length, peer) = socket.recv_from(&mut question).await?;
        let Some(reply) = names.reply(&question[..length]) else {
            continue;
        };
        let mut bytes = reply.to_vec().map_err(io::Error::other)?;
        if bytes.len() > DATAGRAM_BYTES_MAX {
            bytes = reply.truncate().to_vec().map_err(io::Error::other)?;
        }
        socket.send_to(&bytes, peer).await?;
    }
}

async fn over_tcp(listener: TcpListener, names: Arc<Names>, tasks: TaskSet) -> io::Result<()> {
    loop {
        let (tcp, _) = listener.accept().await?;
        tasks.spawn("names over one connection", OnError::Log, converse(tcp, Arc::clone(&names)));
    }
}

/// Answers the questions of a connection until its end.
async fn converse(mut tcp: TcpStream, names: Arc<Names>) -> io::Result<()> {
    while let Ok(length) = tcp.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        tcp.read_exact(&mut question).await?;
        if let Some(reply) = names.reply(&question) {
            let bytes = reply.to_vec().map_err(io::Error::other)?;
            let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            tcp.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
        }
    }
    Ok(())
}
