//! Every setting. This table is all there is: flags, variables, the configuration file, `tidings config` and the reference are made from it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use tidings_model::limits::PAYLOAD_BYTES_CEILING;
use tidings_signing::MasterKey;
use tidings_store_postgres::{CONNECTIONS_MIN, PostgresConfig};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::setting::{AnySetting, Facts, Fallback, Setting, Side};
use crate::logs::LogFormat;
use crate::output::Format;

/// Longest grace that can be given to a shutdown: whoever supervises the process loses patience before.
const GRACE_SECONDS_MAX: u64 = 3_600;

/// Longest that a command waits for an answer.
const TIMEOUT_SECONDS_MAX: u64 = 3_600;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// In the order in which people read them.
pub(crate) static TABLE: [&dyn AnySetting; 27] = [
    &DATA,
    &DATABASE,
    &DATABASE_PASSWORD_FILE,
    &DATABASE_CONNECTIONS,
    &LISTEN,
    &PUBLIC_URL,
    &EGRESS_ALLOW,
    &EGRESS_CA_FILE,
    &EGRESS_RESOLVER,
    &PAYLOAD_BYTES_MAX,
    &MAX_CONNECTIONS,
    &SHUTDOWN_GRACE_SECONDS,
    &LOG_FORMAT,
    &LOG_LEVEL,
    &MASTER_KEY,
    &OLD_MASTER_KEY,
    &BOOTSTRAP_CLIENT_ID,
    &BOOTSTRAP_CLIENT_SECRET,
    &BOOTSTRAP_ADMIN_EMAIL,
    &BOOTSTRAP_ADMIN_PASSWORD,
    &URL,
    &ENVIRONMENT,
    &CLIENT_ID,
    &CLIENT_SECRET,
    &TOKEN,
    &OUTPUT,
    &TIMEOUT_SECONDS,
];

/// What most settings are; each says what is different.
const PLAIN: Facts = Facts {
    key: "",
    flag_instead: None,
    value: "TEXT",
    help: "",
    fallback: Fallback::Nothing("none"),
    many: false,
    secret: false,
    side: Side::Serve,
};

pub(crate) static DATA: Setting<PathBuf> = Setting {
    facts: Facts {
        key: "data",
        value: "FOLDER",
        help: "The data folder: the database, the master key, and the address of the running server. A server makes it when it is not there.",
        fallback: Fallback::Text("./tidings-data"),
        side: Side::Both,
        ..PLAIN
    },
    parse: path,
};

pub(crate) static DATABASE: Setting<String> = Setting {
    facts: Facts {
        key: "database",
        value: "URL",
        help: "The PostgreSQL that keeps everything, in place of the data folder: postgres://user@host:5432/database. Any number of nodes may serve one. \
               Several hosts (host1,host2) are tried in turn; ?sslmode=verify-full&sslrootcert=FILE says whom to believe. A password in it is hidden \
               wherever it is shown, and is refused in the flag.",
        fallback: Fallback::Nothing("a database in the data folder"),
        ..PLAIN
    },
    parse: database,
};

pub(crate) static DATABASE_PASSWORD_FILE: Setting<PathBuf> = Setting {
    facts: Facts {
        key: "database_password_file",
        value: "FILE",
        help: "A file that holds the password for that database, and nothing else.",
        fallback: Fallback::Nothing("the password in the URL, if any"),
        ..PLAIN
    },
    parse: path,
};

pub(crate) static DATABASE_CONNECTIONS: Setting<usize> = Setting {
    facts: Facts {
        key: "database_connections",
        value: "NUMBER",
        help: "Connections to that database at most, 8 to 1000; every node has so many of its own.",
        fallback: Fallback::Text("16"),
        ..PLAIN
    },
    parse: |text| between(text, CONNECTIONS_MIN, 1_000),
};

pub(crate) static LISTEN: Setting<SocketAddr> = Setting {
    facts: Facts {
        key: "listen",
        value: "ADDRESS",
        help: "The address and port to listen on. Port 0 takes a free one.",
        fallback: Fallback::Text("127.0.0.1:8080"),
        ..PLAIN
    },
    parse: |text| {
        text.parse()
            .map_err(|_| format!("'{text}' is not an address with a port, such as 127.0.0.1:8080 or [::]:8080"))
    },
};

pub(crate) static PUBLIC_URL: Setting<Url> = Setting {
    facts: Facts {
        key: "public_url",
        value: "URL",
        help: "The address under which people and programs reach the server, when a proxy stands before it.",
        fallback: Fallback::Nothing("the address that it listens on"),
        ..PLAIN
    },
    parse: web_url,
};

pub(crate) static EGRESS_ALLOW: Setting<IpNet> = Setting {
    facts: Facts {
        key: "egress_allow",
        value: "CIDR",
        help: "A network that webhooks may reach although it is private, loopback or otherwise not public. In every environment; \
               [egress.environments] in the configuration file names networks for single ones.",
        fallback: Fallback::Nothing("only public addresses"),
        many: true,
        ..PLAIN
    },
    parse: network,
};

pub(crate) static EGRESS_CA_FILE: Setting<PathBuf> = Setting {
    facts: Facts {
        key: "egress_ca_file",
        value: "FILE",
        help: "Certificates (PEM) of authorities that webhooks are trusted by, beside those of the machine.",
        fallback: Fallback::Nothing("those of the machine"),
        ..PLAIN
    },
    parse: path,
};

pub(crate) static EGRESS_RESOLVER: Setting<SocketAddr> = Setting {
    facts: Facts {
        key: "egress_resolver",
        value: "ADDRESS",
        help: "A name server that is asked for the hosts of webhooks, in place of those of the machine, where these see other names than receivers \
               should be found by. Port 53 unless one is given. The hosts file of the machine still counts, and every answer is checked as always.",
        fallback: Fallback::Nothing("those of the machine"),
        many: true,
        ..PLAIN
    },
    parse: name_server,
};

pub(crate) static PAYLOAD_BYTES_MAX: Setting<usize> = Setting {
    facts: Facts {
        key: "payload_bytes_max",
        value: "BYTES",
        help: "Largest payload of an event, up to 8388608.",
        fallback: Fallback::Text("262144"),
        ..PLAIN
    },
    parse: |text| between(text, 1, PAYLOAD_BYTES_CEILING),
};

pub(crate) static MAX_CONNECTIONS: Setting<usize> = Setting {
    facts: Facts {
        key: "max_connections",
        value: "NUMBER",
        help: "Connections that are served at the same time, 1 to 1000000; one more takes the place of the longest idle.",
        fallback: Fallback::Text("4096"),
        ..PLAIN
    },
    parse: |text| between(text, 1, 1_000_000),
};

pub(crate) static SHUTDOWN_GRACE_SECONDS: Setting<Duration> = Setting {
    facts: Facts {
        key: "shutdown_grace_seconds",
        value: "SECONDS",
        help: "How long requests and attempts that are under way may take after SIGTERM, 0 to 3600; requests take at most half of it.",
        fallback: Fallback::Text("20"),
        ..PLAIN
    },
    parse: |text| between(text, 0, GRACE_SECONDS_MAX).map(Duration::from_secs),
};

pub(crate) static LOG_FORMAT: Setting<LogFormat> = Setting {
    facts: Facts {
        key: "log_format",
        value: "FORMAT",
        help: "auto, text or json. auto is text on a terminal and JSON lines elsewhere. Logs go to standard error.",
        fallback: Fallback::Text("auto"),
        ..PLAIN
    },
    parse: |text| match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("'{other}' is not a log format; use auto, text or json")),
    },
};

pub(crate) static LOG_LEVEL: Setting<String> = Setting {
    facts: Facts {
        key: "log_level",
        value: "LEVEL",
        help: "error, warn, info, debug or trace; or by room: info,tidings_engine=debug.",
        fallback: Fallback::Text("info"),
        ..PLAIN
    },
    parse: |text| {
        EnvFilter::builder()
            .parse(text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("'{text}' is not a log level such as info or info,tidings_engine=debug: {error}"))
    },
};

pub(crate) static MASTER_KEY: Setting<MasterKey> = Setting {
    facts: Facts {
        key: "master_key",
        value: "KEY",
        help: "The key that secrets are sealed with: 32 bytes as base64 or hex (openssl rand -base64 32). Without it the secrets are lost.",
        fallback: Fallback::Nothing("generated into master.key in the data folder"),
        secret: true,
        ..PLAIN
    },
    parse: |text| text.parse::<MasterKey>().map_err(|error| error.to_string()),
};

pub(crate) static OLD_MASTER_KEY: Setting<MasterKey> = Setting {
    facts: Facts {
        key: "old_master_key",
        value: "KEY",
        help: "The master key before that one. What it sealed is sealed anew while the server serves; `tidings keys list` says when it is not needed any more.",
        secret: true,
        ..PLAIN
    },
    parse: MASTER_KEY.parse,
};

pub(crate) static BOOTSTRAP_CLIENT_ID: Setting<String> = bootstrap(
    "bootstrap_client_id",
    "The client id (a UUID) of the credential that the first start of a data folder makes.",
    "generated",
);
pub(crate) static BOOTSTRAP_CLIENT_SECRET: Setting<String> = bootstrap(
    "bootstrap_client_secret",
    "The secret of that credential, at least 8 characters.",
    "generated and printed once",
);
pub(crate) static BOOTSTRAP_ADMIN_EMAIL: Setting<String> = bootstrap(
    "bootstrap_admin_email",
    "The email address of the owner that the first start of a data folder makes.",
    "nobody",
);
pub(crate) static BOOTSTRAP_ADMIN_PASSWORD: Setting<String> = bootstrap(
    "bootstrap_admin_password",
    "The password of that owner, at least 8 characters.",
    "nobody",
);

pub(crate) static URL: Setting<Url> = Setting {
    facts: Facts {
        key: "url",
        flag_instead: Some("server"),
        value: "URL",
        help: "The server to ask.",
        fallback: Fallback::Nothing("the server that runs on the data folder, or http://127.0.0.1:8080"),
        side: Side::Ask,
        ..PLAIN
    },
    parse: web_url,
};

pub(crate) static ENVIRONMENT: Setting<String> = Setting {
    facts: Facts {
        key: "environment",
        value: "NAME|ID",
        help: "The environment to work in. A credential that is not an operator's works only in its own.",
        fallback: Fallback::Nothing("the credential's own; else Development, or the only one"),
        side: Side::Ask,
        ..PLAIN
    },
    parse: filled,
};

pub(crate) static CLIENT_ID: Setting<String> = Setting {
    facts: Facts {
        key: "client_id",
        value: "ID",
        help: "The client id of a credential; its secret is TIDINGS_CLIENT_SECRET.",
        fallback: Fallback::Nothing("whoever can read the data folder of a local server may do everything"),
        side: Side::Ask,
        ..PLAIN
    },
    parse: filled,
};

pub(crate) static CLIENT_SECRET: Setting<String> = Setting {
    facts: Facts {
        key: "client_secret",
        value: "SECRET",
        help: "The secret of the credential.",
        side: Side::Ask,
        secret: true,
        ..PLAIN
    },
    parse: filled,
};

pub(crate) static TOKEN: Setting<String> = Setting {
    facts: Facts {
        key: "token",
        value: "TOKEN",
        help: "An access token, instead of a credential.",
        side: Side::Ask,
        secret: true,
        ..PLAIN
    },
    parse: filled,
};

pub(crate) static OUTPUT: Setting<Format> = Setting {
    facts: Facts {
        key: "output",
        value: "FORMAT",
        help: "table for people, json for programs: the JSON of the API as it came.",
        fallback: Fallback::Text("table"),
        side: Side::Ask,
        ..PLAIN
    },
    parse: |text| match text {
        "table" => Ok(Format::Table),
        "json" => Ok(Format::Json),
        other => Err(format!("'{other}' is not an output format; use table or json")),
    },
};

pub(crate) static TIMEOUT_SECONDS: Setting<Duration> = Setting {
    facts: Facts {
        key: "timeout_seconds",
        value: "SECONDS",
        help: "How long to wait for each answer of the server, 1 to 3600.",
        fallback: Fallback::Text("90"),
        side: Side::Ask,
        ..PLAIN
    },
    parse: |text| between(text, 1, TIMEOUT_SECONDS_MAX).map(Duration::from_secs),
};

const fn bootstrap(key: &'static str, help: &'static str, unset: &'static str) -> Setting<String> {
    Setting {
        facts: Facts {
            key,
            help,
            fallback: Fallback::Nothing(unset),
            secret: true,
            ..PLAIN
        },
        parse: filled,
    }
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network: IpNet = text
        .parse()
        .or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address)))
        .map_err(|_| format!("'{text}' is not a network such as 10.0.0.0/8 or fd00::/8"))?;
    let (address, whole) = (network.addr(), network.trunc());
    if network != whole {
        return Err(format!(
            "'{text}' is an address and a network; did you mean {whole}, or {address} alone?"
        ));
    }
    Ok(network)
}

/// An address, with or without a port.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    let server: SocketAddr = text
        .parse()
        .or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, DNS_PORT)))
        .map_err(|_| format!("'{text}' is not the address of a name server such as 10.0.0.53, 127.0.0.1:5353 or [fd00::53]:53"))?;
    if server.port() == 0 {
        return Err(format!("'{text}' has port 0, on which nothing listens"));
    }
    Ok(server)
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("a path cannot be empty".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A database's URL, looked at without asking for the database.
fn database(text: &str) -> Result<String, String> {
    PostgresConfig::new(text)
        .check()
        .map(|()| text.to_owned())
        .map_err(|error| error.to_string())
}

fn filled(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it cannot be empty".to_owned());
    }
    Ok(text.to_owned())
}

fn web_url(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| format!("'{text}' is not a URL such as https://tidings.example.com"))
}

fn between<N>(text: &str, least: N, most: N) -> Result<N, String>
where
    N: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number: N = text.parse().map_err(|_| format!("'{text}' is not a whole number"))?;
    if number < least || number > most {
        return Err(format!("{number} is not between {least} and {most}"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;

    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_setting() {
        for setting in TABLE {
            if let Fallback::Text(text) = setting.facts().fallback {
                assert_eq!(setting.check(text), Ok(()), "{}", setting.facts().key);
            }
        }
    }

    #[test]
    fn keys_are_unique_and_helped_with_whole_sentences() {
        let mut seen = std::collections::BTreeSet::new();
        for setting in TABLE {
            let facts = setting.facts();
            assert!(seen.insert(facts.key), "{} is there twice", facts.key);
            assert!(facts.help.ends_with('.'), "{}: {}", facts.key, facts.help);
        }
    }

    #[test]
    fn the_defaults_that_the_model_knows_are_the_models() {
        assert_eq!(PAYLOAD_BYTES_MAX.facts.fallback, Fallback::Text("262144"));
        assert_eq!(PAYLOAD_BYTES_DEFAULT, 262_144);
        assert!(PAYLOAD_BYTES_MAX.facts.help.contains(&PAYLOAD_BYTES_CEILING.to_string()));
    }

    #[test]
    fn the_default_that_the_store_knows_is_the_stores() {
        let default = PostgresConfig::new("postgres://user@host/database").connections;
        assert_eq!(DATABASE_CONNECTIONS.facts.default_words(), default.to_string());
    }

    #[test]
    fn what_is_not_a_value_is_refused_with_an_example_or_the_bounds() {
        assert_eq!(
            (LISTEN.parse)("8080").unwrap_err(),
            "'8080' is not an address with a port, such as 127.0.0.1:8080 or [::]:8080"
        );
        assert_eq!((PAYLOAD_BYTES_MAX.parse)("0").unwrap_err(), "0 is not between 1 and 8388608");
        assert_eq!(
            (EGRESS_ALLOW.parse)("10.0.0.0/33").unwrap_err(),
            "'10.0.0.0/33' is not a network such as 10.0.0.0/8 or fd00::/8"
        );
        assert_eq!(
            (EGRESS_ALLOW.parse)("10.0.0.1/8").unwrap_err(),
            "'10.0.0.1/8' is an address and a network; did you mean 10.0.0.0/8, or 10.0.0.1 alone?"
        );
        assert!((LOG_LEVEL.parse)("info,=").is_err());
        assert!((PUBLIC_URL.parse)("ftp://x").is_err());
    }

    #[test]
    fn a_single_address_is_a_network_of_one() {
        assert_eq!((EGRESS_ALLOW.parse)("127.0.0.1"), Ok("127.0.0.1/32".parse().unwrap()));
    }

    #[test]
    fn a_name_server_is_an_address_and_its_port_is_that_of_names_unless_another_is_given() {
        let server = |text| (EGRESS_RESOLVER.parse)(text).map(|server| server.to_string());
        assert_eq!(server("10.0.0.53"), Ok("10.0.0.53:53".to_owned()));
        assert_eq!(server("127.0.0.1:5353"), Ok("127.0.0.1:5353".to_owned()));
        assert_eq!(server("fd00::53"), Ok("[fd00::53]:53".to_owned()));
        assert_eq!(server("[fd00::53]:5353"), Ok("[fd00::53]:5353".to_owned()));
        assert_eq!(
            server("dns.example").unwrap_err(),
            "'dns.example' is not the address of a name server such as 10.0.0.53, 127.0.0.1:5353 or [fd00::53]:53"
        );
        assert!(server("10.0.0.53:0").unwrap_err().contains("port 0"));
    }

    #[test]
    fn the_bounds_that_the_help_says_are_those_that_hold() {
        let settings: [(&dyn AnySetting, u64, u64); 4] = [
            (&DATABASE_CONNECTIONS, 8, 1_000),
            (&MAX_CONNECTIONS, 1, 1_000_000),
            (&SHUTDOWN_GRACE_SECONDS, 0, 3_600),
            (&TIMEOUT_SECONDS, 1, 3_600),
        ];
        for (setting, low, high) in settings {
            let facts = setting.facts();
            assert!(facts.help.contains(&format!("{low} to {high}")), "{}", facts.key);
            for (value, is_taken) in [(low, true), (high, true), (low.wrapping_sub(1), false), (high + 1, false)] {
                assert_eq!(setting.check(&value.to_string()).is_ok(), is_taken, "{} {value}", facts.key);
            }
        }
    }

    #[test]
    fn a_secret_that_is_refused_is_not_repeated() {
        for setting in TABLE.iter().filter(|setting| setting.facts().secret) {
            if let Err(reason) = setting.check("hunter2 is not a key") {
                assert!(!reason.contains("hunter2"), "{reason}");
            }
        }
    }
}
