//! Three PostgreSQL servers that Patroni runs, with etcd, on loopback: one leads, another confirms every commit, and when the one that leads is gone, the other
//! is promoted.
//!
//! Everything runs as the user of PostgreSQL in a folder of its own, and ends when this is dropped, or with the process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use procfs::process::all_processes;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tidings_runtime::{Clock, SystemClock, TimedOut, within};
use tidings_testkit::{as_postgres, free_port, hand_over, postgres_programs};
use tokio_postgres::{Config, NoTls};

use crate::tools::need;

/// The servers.
const MEMBERS: [&str; 3] = ["one", "two", "three"];
/// How long a leader is believed to lead without saying so, in seconds: the least that Patroni takes.
pub(crate) const LEADS_SECONDS: u64 = 20;
/// Longest wait for all servers to be there, copied or rewound.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A server that does not answer by then is away.
const ANSWER: Duration = Duration::from_secs(2);
/// Its database for the nodes.
const DATABASE: &str = "tidings";
/// Ends everything when whoever started it is gone, however that ended.
const UNDERTAKER: &str = r#"
    trap '' INT TERM HUP
    cat >/dev/null
    for file in "$1"/*.pid "$1"/*/data/postmaster.pid; do kill -9 "$(head -n 1 "$file")" 2>/dev/null; done
    rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
"#;

/// See the module.
pub(crate) struct Patroni {
    folder: PathBuf,
    members: Vec<Member>,
    clock: SystemClock,
    undertaker: Child,
    /// Everything ends when this is closed.
    life: Option<ChildStdin>,
    /// Processes that were started, to be waited for.
    children: Vec<Child>,
}

struct Member {
    name: &'static str,
    port: u16,
    /// Its Patroni, while it runs.
    patroni: Option<Child>,
}

/// What a server says of itself.
struct Said {
    leads: bool,
    /// Those that follow it without falling behind, and how many of them confirm commits.
    streaming: i64,
    confirming: i64,
}

impl Patroni {
    /// Starts three servers, and waits until one leads and the others follow. Says what to install where something is missing.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        need("patroni")?;
        need("etcd")?;
        let programs = postgres_programs().map_err(|why| anyhow!("{why}"))?;
        let folder = tempfile::Builder::new().prefix("tidings-patroni-").tempdir()?.keep();
        hand_over(&folder);
        let mut undertaker = as_postgres()
            .args(["sh", "-c", UNDERTAKER, "sh"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()?;
        let life = undertaker.stdin.take();
        let members = MEMBERS.map(|name| Member {
            name,
            port: free_port(),
            patroni: None,
        });
        let mut all = Self {
            folder,
            members: members.into(),
            clock: SystemClock::new(),
            undertaker,
            life,
            children: Vec::new(),
        };
        let etcd = all.start_etcd()?;
        for (member, name) in MEMBERS.iter().enumerate() {
            let folder = all.folder.join(name);
            fs::create_dir(&folder)?;
            hand_over(&folder);
            let config = config(&folder, &programs, &all.members[member], etcd);
            fs::write(all.config(member), config.to_string())?;
            all.start_again(member)?;
        }
        all.whole().await?;
        let leader = all.leader().await.context("a server leads")?;
        ask(all.members[leader].port, "postgres", &format!("CREATE DATABASE {DATABASE}")).await?;
        Ok(all)
    }

    /// Starts an etcd, and gives its port.
    fn start_etcd(&mut self) -> anyhow::Result<u16> {
        let (port, peers) = (free_port(), free_port());
        let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
        let mut etcd = as_postgres();
        etcd.arg("etcd").arg("--data-dir").arg(self.folder.join("etcd"));
        etcd.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        etcd.args(["--initial-cluster", &format!("default={peers}")]);
        let child = self.spawn(&mut etcd, "etcd")?;
        self.children.push(child);
        Ok(port)
    }

    /// Starts a process that writes its log beside the others, and has the undertaker know it.
    fn spawn(&self, command: &mut std::process::Command, name: &str) -> anyhow::Result<Child> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(format!("{name}.log")))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        fs::write(self.folder.join(format!("{name}.pid")), child.id().to_string())?;
        Ok(child)
    }

    fn config(&self, member: usize) -> PathBuf {
        self.folder.join(format!("{}.json", self.members[member].name))
    }

    /// Where nodes find the database, whoever leads.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        format!("postgres://postgres@{}/{DATABASE}", hosts.join(","))
    }

    /// The server that leads, if one does.
    pub(crate) async fn leader(&self) -> Option<usize> {
        for (number, member) in self.members.iter().enumerate() {
            if says(member.port).await.is_ok_and(|said| said.leads) {
                return Some(number);
            }
        }
        None
    }

    /// Waits until a server leads and takes a commit that another confirms.
    pub(crate) async fn writes(&self) -> anyhow::Result<()> {
        let writing = async {
            loop {
                for member in &self.members {
                    if ask(member.port, "postgres", "SELECT pg_logical_emit_message(true, 'trial', '')")
                        .await
                        .is_ok()
                    {
                        return;
                    }
                }
                self.clock.sleep(LOOK_AGAIN).await;
            }
        };
        let written = within(&self.clock, PATIENCE, writing).await;
        written.map_err(|TimedOut| anyhow!("no server took a commit within {} s: {}", PATIENCE.as_secs(), self.last_words()))
    }

    /// Waits until one server leads, the others follow it without falling behind, and one of them confirms commits.
    pub(crate) async fn whole(&self) -> anyhow::Result<()> {
        let followers = self.members.len() as i64 - 1;
        let becoming = async {
            loop {
                for member in &self.members {
                    if let Ok(said) = says(member.port).await
                        && said.leads
                        && said.streaming == followers
                        && said.confirming > 0
                    {
                        return;
                    }
                }
                self.clock.sleep(LOOK_AGAIN).await;
            }
        };
        match within(&self.clock, PATIENCE, becoming).await {
            Ok(()) => Ok(()),
            Err(TimedOut) => bail!("not all servers were there within {} s: {}", PATIENCE.as_secs(), self.last_words()),
        }
    }

    fn last_words(&self) -> String {
        let logs = self.members.iter().map(|member| {
            let log = fs::read_to_string(self.folder.join(format!("{}.log", member.name))).unwrap_or_default();
            format!("{}: {}", member.name, log.lines().last().unwrap_or_default())
        });
        logs.collect::<Vec<_>>().join("; ")
    }

    /// kill -9 of a server, all its processes, and its Patroni: as if its machine were dead.
    pub(crate) fn kill(&mut self, member: usize) -> anyhow::Result<()> {
        let data = self.folder.join(self.members[member].name).join("data");
        let own = fs::read_to_string(data.join("postmaster.pid"))?;
        let own: i32 = own.lines().next().context("the file has a line")?.parse()?;
        let children = all_processes()?.flatten().filter_map(|process| process.stat().ok());
        let children: Vec<_> = children.filter(|stat| stat.ppid == own).map(|stat| stat.pid).collect();
        let mut patroni = self.members[member].patroni.take().context("it runs")?;
        patroni.kill()?;
        for id in [own].into_iter().chain(children) {
            let Some(id) = Pid::from_raw(id) else { continue };
            match kill_process(id, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {} // it ended with the first
                Err(error) => return Err(error.into()),
            }
        }
        patroni.wait()?;
        Ok(())
    }

    /// Starts the Patroni of a server, which starts the server, rewound if it has what the new leader has not.
    pub(crate) fn start_again(&mut self, member: usize) -> anyhow::Result<()> {
        let name = self.members[member].name;
        ensure!(self.members[member].patroni.is_none(), "{name} runs already");
        let mut patroni = as_postgres();
        patroni.arg("patroni").arg(self.config(member));
        self.members[member].patroni = Some(self.spawn(&mut patroni, name)?);
        Ok(())
    }
}

impl Drop for Patroni {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.undertaker.wait(); // it ends everything, and removes the folder
        let patronis = self.members.iter_mut().filter_map(|member| member.patroni.as_mut());
        for child in patronis.chain(&mut self.children) {
            let _ = child.wait();
        }
    }
}

/// How Patroni runs a server. A commit is confirmed by another server, or not at all.
fn config(folder: &Path, programs: &Path, member: &Member, etcd: u16) -> serde_json::Value {
    let api = format!("127.0.0.1:{}", free_port());
    let listen = format!("127.0.0.1:{}", member.port);
    let somebody = |name: &str| json!({"username": name, "password": "of-a-trial"});
    json!({
        "scope": "tidings",
        "name": member.name,
        "restapi": {"listen": api, "connect_address": api},
        "etcd3": {"host": format!("127.0.0.1:{etcd}")},
        "bootstrap": {
            "dcs": {
                "ttl": LEADS_SECONDS,
                "loop_wait": 1,
                "retry_timeout": 3,
                "synchronous_mode": true,
                "synchronous_mode_strict": true,
                "postgresql": {"use_pg_rewind": true, "use_slots": true, "parameters": {"max_connections": 200, "shared_buffers": "64MB"}},
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
        },
        "postgresql": {
            "listen": listen,
            "connect_address": listen,
            "data_dir": folder.join("data"),
            "bin_dir": programs,
            "pgpass": folder.join("pgpass"),
            "authentication": {"superuser": somebody("postgres"), "replication": somebody("replicator"), "rewind": somebody("rewinder")},
            "parameters": {"unix_socket_directories": folder},
            "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"],
        },
    })
}

/// Asks a server who it is.
async fn says(port: u16) -> anyhow::Result<Said> {
    let rows = ask(
        port,
        "postgres",
        "SELECT NOT pg_is_in_recovery(), count(*) FILTER (WHERE state = 'streaming'),
             count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) FROM pg_stat_replication",
    )
    .await?;
    let row = rows.first().context("it has a row")?;
    Ok(Said {
        leads: row.get(0),
        streaming: row.get(1),
        confirming: row.get(2),
    })
}

async fn ask(port: u16, database: &str, statement: &str) -> anyhow::Result<Vec<tokio_postgres::Row>> {
    let mut config = Config::new();
    config
        .host("127.0.0.1")
        .port(port)
        .user("postgres")
        .dbname(database)
        .connect_timeout(ANSWER);
    let asking = async {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::select! {
            biased;
            rows = client.query(statement, &[]) => Ok(rows?),
            ended = connection => bail!("the connection ended: {ended:?}"),
        }
    };
    within(&SystemClock::new(), 10 * ANSWER, asking)
        .await
        .map_err(|TimedOut| anyhow!("the server at {port} does not answer"))?
}
