//! A PgBouncer between a test and its PostgreSQL.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};

use crate::postgres::{EphemeralPostgres, as_postgres, folder, hand_over, host_of_path};

/// Where Debian's package puts it.
const INSTALLED: &str = "/usr/sbin/pgbouncer";
/// What it says when it takes connections.
const READY: &str = "process up";

/// Runs it, and removes it when whoever started it is gone, however that ended.
const LIFE: &str = r#"
    trap '' INT TERM
    "$1" "$2/pgbouncer.ini" 2>&1 </dev/null &
    cat >/dev/null
    kill -KILL $! 2>/dev/null
    rm -rf "$2"
"#;

/// A PgBouncer before a server, which ends when it is dropped.
#[derive(Debug)]
pub struct Pooler {
    host: String,
    child: Child,
    /// It ends when this is closed.
    life: Option<ChildStdin>,
}

impl Pooler {
    /// Starts one before that server. Settings are those of its section `pgbouncer`.
    pub fn start(server: &EphemeralPostgres, settings: &[(&str, &str)]) -> Self {
        assert!(
            Path::new(INSTALLED).exists(),
            "there is no PgBouncer at {INSTALLED}: run `apt-get install pgbouncer`"
        );
        let folder = folder();
        let ini = folder.join("pgbouncer.ini");
        let own = [
            ("listen_addr", ""),
            ("auth_type", "any"),
            ("unix_socket_dir", &*folder.display().to_string()),
        ];
        let settings: Vec<_> = own
            .iter()
            .chain(settings)
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let text = format!(
            "[databases]\n* = host={} user=postgres\n[pgbouncer]\nlisten_port = 5432\n{}",
            server.socket().display(),
            settings.concat()
        );
        std::fs::write(&ini, text).expect("a new folder can be written to");
        hand_over(&ini);
        let mut child = as_postgres()
            .args(["sh", "-c", LIFE, "sh", INSTALLED])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let life = child.stdin.take().expect("it was asked for");
        let mut said = BufReader::new(child.stdout.take().expect("it was asked for"))
            .lines()
            .map_while(Result::ok);
        let mut before = Vec::new();
        loop {
            let line = said
                .next()
                .unwrap_or_else(|| panic!("PgBouncer did not start: {}", before.join("\n")));
            if line.contains(READY) {
                break;
            }
            before.push(line);
        }
        std::thread::spawn(move || said.for_each(drop)); // it has more to say than a pipe holds
        Self {
            host: host_of_path(&folder.display().to_string()),
            child,
            life: Some(life),
        }
    }

    /// Where a database of the server is, by way of it.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.host)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.life.take());
        let _ = self.child.wait(); // the shell removes it and its folder
    }
}
