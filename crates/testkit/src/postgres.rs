//! A real PostgreSQL for tests: one server for all tests of a binary, and a database of its own for each.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_postgres::{Client, NoTls};

/// Where Debian's packages put each version.
const INSTALLED: &str = "/usr/lib/postgresql";
/// Who runs the server when the tests run as root: `initdb` refuses to.
const USER: &str = "postgres";
/// A server of this kind is used instead of one of our own: `postgres://user:password@host/postgres`, whose user may make databases.
const GIVEN: &str = "TEST_DATABASE_URL";

/// Makes a server, says so, and removes it when whoever started it is gone, however that ended.
const LIFE: &str = r#"
    trap '' INT TERM
    bin=$1 folder=$2 options=$3
    "$bin/initdb" -D "$folder/data" -A trust -U postgres -E UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log"; exit 1; }
    "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" -o "$options" start >/dev/null 2>&1 || { cat "$folder/log"; exit 1; }
    echo ready
    cat >/dev/null
    "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1
    rm -rf "$folder"
"#;

/// Who may come in: everybody of this machine, and of the networks that it is in.
const RULES: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all samenet trust\n";

/// A PostgreSQL server that ends with the test that started it, or with the process.
#[derive(Debug)]
pub struct EphemeralPostgres {
    /// As somebody who may make databases.
    url: String,
    own: Option<Own>,
    made: AtomicU64,
    /// Databases that nobody uses any more.
    done: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Own {
    bin: PathBuf,
    folder: PathBuf,
    options: String,
    child: Mutex<Child>,
    /// The server ends when this is closed.
    life: Option<ChildStdin>,
}

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    server: &'static EphemeralPostgres,
    name: String,
}

impl TestDatabase {
    /// An empty database on the server that all tests of this binary share.
    pub async fn new() -> Self {
        static SHARED: OnceLock<EphemeralPostgres> = OnceLock::new();
        let server = SHARED.get_or_init(|| match std::env::var(GIVEN) {
            Ok(url) => EphemeralPostgres::at(url),
            Err(_) => EphemeralPostgres::start(&[]),
        });
        Self {
            server,
            name: server.database().await,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.server.url_of(&self.name)
    }

    /// A connection beside those of whoever is tested.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.server.is_done_with(std::mem::take(&mut self.name));
    }
}

impl EphemeralPostgres {
    /// Starts a server of one's own, which listens on a socket in its folder. Settings are those of `postgresql.conf`; without others nothing is
    /// written through to the disk, which is quicker and does not survive a power loss.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(&folder(), settings)
    }

    /// Starts a server that listens on that address of this machine too, and believes every machine that is beside it there.
    pub fn listening_on(address: IpAddr, settings: &[(&str, &str)]) -> Self {
        let folder = folder();
        let rules = folder.join("rules");
        std::fs::write(&rules, RULES).expect("a new folder can be written to");
        let (address, rules) = (address.to_string(), rules.display().to_string());
        let own = [
            ("listen_addresses", &*address),
            ("port", &free_port().to_string()),
            ("hba_file", &rules),
        ];
        Self::start_in(&folder, &[settings, &own].concat())
    }

    /// Starts a server that takes encrypted connections at `localhost`, and says which authority signed its certificate.
    pub fn with_tls() -> (Self, PathBuf) {
        let folder = folder();
        let (authority, certificate, key) = certificates();
        for (name, pem) in [("ca.pem", &authority), ("server.pem", &certificate), ("server.key", &key)] {
            std::fs::write(folder.join(name), pem).expect("a new folder can be written to");
        }
        std::fs::set_permissions(folder.join("server.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("our own file");
        hand_over(&folder.join("server.key"));
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        let server = Self::start_in(
            &folder,
            &[
                ("listen_addresses", "localhost"),
                ("port", &free_port().to_string()),
                ("ssl", "on"),
                ("ssl_cert_file", &certificate.display().to_string()),
                ("ssl_key_file", &key.display().to_string()),
            ],
        );
        (server, folder.join("ca.pem"))
    }

    fn start_in(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let bin = postgres_programs().unwrap_or_else(|why| panic!("{why}, or set {GIVEN} to the URL of a server"));
        let socket = folder.display().to_string();
        let defaults = [
            ("listen_addresses", ""),
            ("unix_socket_directories", &*socket),
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("max_connections", "400"),
            ("shared_buffers", "64MB"),
            ("autovacuum_naptime", "5s"),
        ];
        let options: Vec<_> = defaults
            .iter()
            .chain(settings)
            .map(|(name, value)| format!("-c {name}='{value}'"))
            .collect();
        let options = options.join(" ");
        let mut child = as_postgres()
            .args(["sh", "-c", LIFE, "sh"])
            .arg(&bin)
            .arg(folder)
            .arg(&options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let life = child.stdin.take().expect("it was asked for");
        let mut said = BufReader::new(child.stdout.take().expect("it was asked for")).lines();
        let first = said.next().and_then(Result::ok).unwrap_or_default();
        if first != "ready" {
            let rest: Vec<_> = said.map_while(Result::ok).collect();
            panic!("PostgreSQL did not start: {first}\n{}", rest.join("\n"));
        }
        let setting = |wanted| settings.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let host = match setting("listen_addresses").zip(setting("port")) {
            Some((address, port)) => format!("{address}:{port}"),
            None => host_of_path(&socket),
        };
        Self {
            url: format!("postgres://postgres@{host}/postgres"),
            own: Some(Own {
                bin,
                folder: folder.to_owned(),
                options,
                child: Mutex::new(child),
                life: Some(life),
            }),
            made: AtomicU64::new(0),
            done: Mutex::default(),
        }
    }

    /// A server that somebody else started; the URL is that of a user who may make databases. It is not stopped.
    pub fn at(url: String) -> Self {
        Self {
            url,
            own: None,
            made: AtomicU64::new(0),
            done: Mutex::default(),
        }
    }

    /// Where a database of it is.
    pub fn url_of(&self, database: &str) -> String {
        let (base, query) = self
            .url
            .split_once('?')
            .map_or((&*self.url, None), |(base, query)| (base, Some(query)));
        let (server, _) = base.rsplit_once('/').unwrap_or((base, ""));
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        format!("{server}/{database}{query}")
    }

    /// A connection to a database of it, without encryption.
    pub async fn connect(&self, database: &str) -> Client {
        connect(&self.url_of(database)).await
    }

    /// Nobody needs that database any more: it is removed when the next one is made, or all are.
    pub fn is_done_with(&self, database: String) {
        self.done.lock().push(database);
    }

    /// Removes the databases that nobody needs any more.
    pub async fn remove_done(&self) {
        let done = std::mem::take(&mut *self.done.lock());
        let client = connect(&self.url).await;
        for name in done {
            let dropped = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            dropped.expect("a database that nobody needs can be dropped");
        }
    }

    /// Makes an empty database, and removes those that tests are done with.
    pub async fn database(&self) -> String {
        self.remove_done().await;
        let client = connect(&self.url).await;
        let name = format!("tidings_{}_{}", std::process::id(), self.made.fetch_add(1, Ordering::Relaxed));
        let made = client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        made.expect("a database can be made");
        name
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.own().folder
    }

    /// Stops the server as a crash does, and its connections with it.
    pub fn stop(&self) {
        self.control(&["-m", "immediate", "-w", "stop"]);
    }

    /// Stops the server in order, and ends its connections.
    pub fn stop_in_order(&self) {
        self.control(&["-m", "fast", "-w", "stop"]);
    }

    /// Starts it again where it was.
    pub fn start_again(&self) {
        let own = self.own();
        let log = own.folder.join("log").display().to_string();
        self.control(&["-w", "-l", &log, "-o", &own.options, "start"]);
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("a server that was given is not ours")
    }

    fn control(&self, arguments: &[&str]) {
        let own = self.own();
        let done = as_postgres()
            .arg(own.bin.join("pg_ctl"))
            .arg("-D")
            .arg(own.folder.join("data"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(done.is_ok_and(|status| status.success()), "pg_ctl {arguments:?} failed");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.child.lock().wait(); // the shell removes the server and its folder
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server takes connections");
    tokio::runtime::Handle::current().spawn(connection);
    client
}

/// A path as the host of a URL.
pub(crate) fn host_of_path(path: &str) -> String {
    path.replace('%', "%25").replace('/', "%2F")
}

pub(crate) fn folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("tidings-postgres-").tempdir();
    let folder = folder.expect("a folder can be made").keep();
    hand_over(&folder);
    folder
}

/// Gives a file or folder to the user who runs PostgreSQL.
pub fn hand_over(path: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give files away");
    }
}

/// The ids of the server's user, where it is not ours.
fn server_user() -> Option<(u32, u32)> {
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let ids = id(&["-u", USER]).zip(id(&["-g", USER]));
    Some(
        ids.expect("PostgreSQL is not run by root, and there is no user 'postgres': install postgresql, or run the tests as somebody else"),
    )
}

fn id(arguments: &[&str]) -> Option<u32> {
    let said = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().parse().ok()
}

/// Runs what follows as the user who runs PostgreSQL: not as root.
pub fn as_postgres() -> Command {
    match server_user() {
        Some((user, group)) => {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"]);
            command.current_dir("/");
            command
        }
        None => Command::new("env"),
    }
}

/// Where the programs of the newest version are that is installed, or what to do.
pub fn postgres_programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max();
    let advice = format!("there is no PostgreSQL in {INSTALLED}: run `apt-get install postgresql`");
    newest.map(|(_, bin)| bin).ok_or(advice)
}

/// A port of loopback that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it listens").port()
}

/// An authority, a certificate for `localhost` by it, and its key.
fn certificates() -> (String, String, String) {
    let authority_key = KeyPair::generate().expect("keys can be made");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).expect("it signs itself").pem();
    let key = KeyPair::generate().expect("keys can be made");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
    let issuer = Issuer::new(authority, authority_key);
    let certificate = server.signed_by(&key, &issuer).expect("it is signed").pem();
    (authority_pem, certificate, key.serialize_pem())
}
