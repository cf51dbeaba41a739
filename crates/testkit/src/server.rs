//! The real binary as a process: started, asked over HTTP, killed, started again on the same data folder.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tidings_runtime::{SystemClock, TimedOut, within};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;

use crate::Process;

/// The client id of every server under test.
pub const CLIENT_ID: &str = "6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11";
/// Its secret.
pub const CLIENT_SECRET: &str = "a-secret-for-tests-only";
/// Longest wait for a process to say that it listens, or to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The greatest mapping of loopback that a test server may send to.
const LOOPBACK: &str = "127.0.0.0/8";
/// Lines of its log that are kept, the newest.
const LINES_KEPT: usize = 50_000;

/// See the module. The process is killed when this is dropped.
pub struct TestServer {
    binary: PathBuf,
    folder: Folder,
    arguments: Vec<String>,
    /// Variables beside those that every server gets.
    variables: Vec<(String, String)>,
    listen: IpAddr,
    /// A program that runs the binary, with its arguments; nothing runs it directly.
    under: Vec<String>,
    process: Option<Child>,
    client: TestClient,
    /// Reads what the process says, or it would stand still when the pipe is full.
    listening: JoinSet<()>,
    /// What it has said.
    said: Arc<Mutex<VecDeque<String>>>,
}

/// Where the data is.
enum Folder {
    /// In a folder that goes with the server.
    Own(TempDir),
    /// In somebody else's.
    Given(PathBuf),
}

/// A start that did not come about.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The exit status; none when a signal ended it.
    pub status: Option<i32>,
    /// What it said.
    pub said: String,
}

/// Asks a server under test, with the test credential unless it was given another.
#[derive(Clone, Debug)]
pub struct TestClient {
    url: String,
    http: Client<HttpConnector, Full<Bytes>>,
    authorization: String,
}

impl std::ops::Deref for TestServer {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

/// What a server answered, as it came.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when it is not.
    pub json: Value,
}

impl TestServer {
    /// Starts the binary on a data folder of its own, with plain http to loopback allowed.
    pub async fn start(binary: impl AsRef<Path>) -> Self {
        let server = Self::start_with(binary, &["--egress-allow", LOOPBACK]).await;
        server.allow_http().await;
        server
    }

    /// Starts the binary as an operator would who says nothing but these arguments.
    pub async fn start_with(binary: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let mut server = Self::stopped(binary, arguments);
        server.restart().await;
        server
    }

    /// An empty data folder, on which the binary can be started with these arguments.
    pub fn stopped(binary: impl AsRef<Path>, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("the machine has room for a data folder");
        Self::new(binary.as_ref(), Folder::Own(folder), arguments)
    }

    /// Starts the binary on that data folder, with plain http to loopback allowed. The folder stays when this is dropped.
    pub async fn start_in(binary: impl AsRef<Path>, folder: impl Into<PathBuf>) -> Self {
        let mut server = Self::new(binary.as_ref(), Folder::Given(folder.into()), &["--egress-allow", LOOPBACK]);
        server.restart().await;
        server.allow_http().await;
        server
    }

    fn new(binary: &Path, folder: Folder, arguments: &[&str]) -> Self {
        Self {
            binary: binary.to_path_buf(),
            folder,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            variables: Vec::new(),
            listen: Ipv4Addr::LOCALHOST.into(),
            under: Vec::new(),
            process: None,
            client: TestClient {
                url: String::new(),
                http: Client::builder(TokioExecutor::new()).build_http(),
                authorization: format!("Basic {}", BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes())),
            },
            listening: JoinSet::new(),
            said: Arc::default(),
        }
    }

    async fn allow_http(&self) {
        let environment = self.environment().await;
        let allowed = self
            .patch(&format!("/v1/environments/{environment}"), r#"{"settings":{"httpAllowed":true}}"#)
            .await;
        assert_eq!(allowed.status, 200, "{}", allowed.json);
    }

    /// Says something else to the process when it is started the next time.
    pub fn argue(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Sets a variable for the process when it is started the next time.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Has the process listen on another address than loopback's first, from the next start on.
    pub fn listen_on(&mut self, address: IpAddr) {
        self.listen = address;
    }

    /// Has another program run the binary from the next start on, as `strace` does. It has to become the binary: signals go to it.
    pub fn run_under(&mut self, program: &[&str]) {
        self.under = program.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Starts the process, which does not run, on the same data folder.
    pub async fn restart(&mut self) {
        if let Err(refused) = self.try_restart().await {
            panic!("the server ended before it listened:\n{}", refused.said);
        }
    }

    /// Starts the process, which does not run, on the same data folder. It may refuse.
    pub async fn try_restart(&mut self) -> Result<(), Refused> {
        assert!(self.process.is_none(), "it runs already");
        let announcement = self.data().join("server.json");
        let _ = std::fs::remove_file(&announcement); // left by a process that was killed
        self.listening.shutdown().await;
        let before = self.said.lock().len();
        let mut process = self.command().spawn().expect("the binary was built");
        let lines = BufReader::new(process.stderr.take().expect("it was piped")).lines();
        let said = Arc::clone(&self.said);
        let starting = within(&SystemClock::new(), PATIENCE, announced(lines, &announcement, process.id(), said)).await;
        match starting.expect("the server listens or ends within a minute") {
            Some((url, mut lines)) => {
                self.client.url = url;
                let said = Arc::clone(&self.said);
                self.listening.spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        keep(&said, line);
                    }
                });
                self.process = Some(process);
                Ok(())
            }
            None => Err(Refused {
                status: process.wait().await.expect("a child can be waited for").code(),
                said: self.log()[before..].join("\n"),
            }),
        }
    }

    fn command(&self) -> Command {
        let mut words = self.under.iter().map(PathBuf::from).chain([self.binary.clone()]);
        let mut command = Command::new(words.next().expect("there is the binary"));
        command
            .args(words)
            .args(["serve", "--listen", &SocketAddr::new(self.listen, 0).to_string(), "--data"])
            .arg(self.data())
            .args(&self.arguments)
            .env("TIDINGS_LOG_FORMAT", "json")
            .env("TIDINGS_BOOTSTRAP_CLIENT_ID", CLIENT_ID)
            .env("TIDINGS_BOOTSTRAP_CLIENT_SECRET", CLIENT_SECRET)
            .envs(self.variables.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// The lines that it has said, over all starts, the newest of them: its log as JSON, and what it shows once.
    pub fn log(&self) -> Vec<String> {
        self.said.lock().iter().cloned().collect()
    }

    /// The process's id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().and_then(Child::id)
    }

    /// Closes the end of the pipe that the process writes its log to.
    pub async fn stop_reading_its_log(&mut self) {
        self.listening.shutdown().await;
    }

    /// kill -9.
    pub async fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().await.expect("a running process can be killed");
    }

    /// SIGSTOP: it stands still, and everything that it has open stays open.
    pub async fn pause(&self) {
        self.signal("-STOP").await;
    }

    /// SIGCONT: it goes on where it stood.
    pub async fn resume(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let id = self.id().expect("it runs").to_string();
        let told = Command::new("kill")
            .args([signal, &id])
            .status()
            .await
            .expect("there is a kill command");
        assert!(told.success());
    }

    /// SIGTERM, and waits for its end. The exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM").await;
        let mut process = self.process.take().expect("it runs");
        match within(&SystemClock::new(), PATIENCE, process.wait()).await {
            Ok(status) => status.expect("a child can be waited for").code(),
            Err(TimedOut) => panic!("it did not end within a minute"),
        }
    }

    /// What the process takes of the machine.
    pub fn process(&self) -> Process {
        Process::new(self.id().expect("it runs"))
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        match &self.folder {
            Folder::Own(folder) => folder.path(),
            Folder::Given(folder) => folder,
        }
    }

    /// Asks it, also from other tasks.
    pub fn client(&self) -> TestClient {
        self.client.clone()
    }
}

impl TestClient {
    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of its only environment.
    pub async fn environment(&self) -> String {
        let answer = self.get("/v1/environments").await;
        answer.json["data"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no environment in {}", answer.json))
            .to_owned()
    }

    /// The same for whoever has that access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            authorization: format!("Bearer {token}"),
            ..self.clone()
        }
    }

    /// GET with the test credential.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "").await.expect("the server answers")
    }

    /// POST with the test credential.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(Method::POST, path, body).await.expect("the server answers")
    }

    /// PATCH with the test credential.
    pub async fn patch(&self, path: &str, body: &str) -> Answer {
        self.ask(Method::PATCH, path, body).await.expect("the server answers")
    }

    /// Asks again and again until the answer is as wanted. Panics when it does not become so.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let answer = self.get(path).await;
                if wanted(&answer.json) {
                    return answer.json;
                }
            }
        };
        let clock = SystemClock::new();
        match within(&clock, PATIENCE, asking).await {
            Ok(json) => json,
            Err(TimedOut) => panic!("{path} did not become as wanted: {}", self.get(path).await.json),
        }
    }

    /// GET with the credential, answered as it came.
    pub async fn get_raw(&self, path: &str) -> RawAnswer {
        let answer = self.send(Method::GET, path, &[("authorization", &self.authorization)], "").await;
        answer.expect("the server answers")
    }

    /// A request with these headers and no others; `None` when the server did not answer.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Option<RawAnswer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("tests ask for valid paths");
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        Some(RawAnswer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Any request with the credential; `None` when the server did not answer, as when it was killed.
    pub async fn ask(&self, method: Method, path: &str, body: &str) -> Option<Answer> {
        self.ask_with(method, path, body, &[]).await
    }

    /// The same, with more headers.
    pub async fn ask_with(&self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Option<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("tests ask for valid paths");
        let response = self.http.request(request).await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some(Answer {
            status,
            headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }
}

/// Reads until the process has announced where it listens, and gives that; nothing: it has ended.
async fn announced(
    mut lines: Lines<BufReader<ChildStderr>>,
    announcement: &Path,
    id: Option<u32>,
    said: Arc<Mutex<VecDeque<String>>>,
) -> Option<(String, Lines<BufReader<ChildStderr>>)> {
    while let Ok(Some(line)) = lines.next_line().await {
        keep(&said, line);
        if let Ok(text) = std::fs::read(announcement)
            && let Ok(announced) = serde_json::from_slice::<Value>(&text)
            && announced["pid"].as_u64() == id.map(u64::from)
        // another one is left by a process that was killed
        {
            let url = announced["url"].as_str().expect("the announcement has a url").to_owned();
            return Some((url, lines));
        }
    }
    None
}

fn keep(said: &Mutex<VecDeque<String>>, line: String) {
    let mut said = said.lock();
    if said.len() == LINES_KEPT {
        said.pop_front();
    }
    said.push_back(line);
}
