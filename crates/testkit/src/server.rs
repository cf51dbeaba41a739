//! The real binary as a process: started, asked over HTTP, killed, started again on the same data folder.

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
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
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

/// See the module. The process is killed when this is dropped.
pub struct TestServer {
    binary: PathBuf,
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
    client: TestClient,
    /// Reads what the process says, or it would stand still when the pipe is full.
    listening: JoinSet<()>,
    /// What it has said.
    said: Arc<Mutex<Vec<String>>>,
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
    /// The body as JSON; null when it is not.
    pub json: Value,
}

impl TestServer {
    /// Starts the binary on a data folder of its own, with plain http to loopback allowed.
    pub async fn start(binary: impl AsRef<Path>) -> Self {
        let server = Self::start_with(binary, &["--egress-allow", LOOPBACK]).await;
        let environment = server.environment().await;
        let allowed = server
            .patch(&format!("/v1/environments/{environment}"), r#"{"settings":{"httpAllowed":true}}"#)
            .await;
        assert_eq!(allowed.status, 200, "{}", allowed.json);
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
        Self {
            binary: binary.as_ref().to_path_buf(),
            folder,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
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

    /// Says something else to the process when it is started the next time.
    pub fn argue(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Starts the process, which does not run, on the same data folder.
    pub async fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let announcement = self.data().join("server.json");
        let _ = std::fs::remove_file(&announcement); // left by a process that was killed
        let mut process = Command::new(&self.binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.data())
            .args(&self.arguments)
            .env("TIDINGS_LOG_FORMAT", "json")
            .env("TIDINGS_BOOTSTRAP_CLIENT_ID", CLIENT_ID)
            .env("TIDINGS_BOOTSTRAP_CLIENT_SECRET", CLIENT_SECRET)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary was built");
        let mut lines = BufReader::new(process.stderr.take().expect("it was piped")).lines();
        let clock = SystemClock::new();
        let url = within(&clock, PATIENCE, async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(text) = std::fs::read(&announcement)
                    && let Ok(announced) = serde_json::from_slice::<Value>(&text)
                {
                    return announced["url"].as_str().expect("the announcement has a url").to_owned();
                }
                self.said.lock().push(line);
            }
            panic!("the server ended before it listened:\n{}", self.said.lock().join("\n"));
        });
        self.client.url = url.await.expect("the server listens within a minute");
        let said = Arc::clone(&self.said);
        self.listening.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                said.lock().push(line);
            }
        });
        self.process = Some(process);
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

    /// SIGTERM, and waits for its end. The exit code.
    pub async fn terminate(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("it runs");
        let id = process.id().expect("it has not ended").to_string();
        let told = Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("there is a kill command");
        assert!(told.success());
        match within(&SystemClock::new(), PATIENCE, process.wait()).await {
            Ok(status) => status.expect("a child can be waited for").code(),
            Err(TimedOut) => panic!("it did not end within a minute"),
        }
    }

    /// What the process takes of the machine.
    pub fn process(&self) -> Process {
        let running = self.process.as_ref().and_then(Child::id);
        Process::new(running.expect("it runs"))
    }

    /// The lines that it has said, over all starts: its log as JSON, and what it shows once.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().clone()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folder.path()
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
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("tests ask for valid paths");
        let response = self.http.request(request).await.ok()?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some(Answer {
            status,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }
}
