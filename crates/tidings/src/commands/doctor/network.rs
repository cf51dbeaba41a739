//! Whether the server can be reached, or could listen, and what webhooks may reach.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use tidings_client::{Auth, Client, Error};
use tidings_egress::{AddressPolicy, SystemResolver};
use tidings_runtime::{Clock, TimedOut, within};

use super::Finding;
use crate::config::ServeConfig;
use crate::data_folder;
use crate::listen::listen;

/// How long a server may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// How the answer of a server begins that wants no traffic.
const NOT_READY: &str = "not ready";
/// Where clouds hand out the credentials of a machine.
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Whether the server runs, or could.
pub(super) async fn server(config: &ServeConfig, clock: &dyn Clock) -> Finding {
    const CHECK: &str = "server";
    let note = data_folder::announced(&config.data);
    let url = note
        .as_ref()
        .map_or_else(|| format!("http://{}", config.listen), |note| note.url.clone());
    match (ready(&url, clock).await, note) {
        (Ok(()), Some(note)) => Finding::ok(CHECK, format!("it runs on {url} (process {}) and takes requests", note.pid)),
        (Ok(()), None) => Finding::warn(
            CHECK,
            format!("a server runs on {url}, on another data folder than {}", config.data.display()),
        ),
        (Err(Unready::Absent), Some(note)) => Finding::fail(
            CHECK,
            format!(
                "process {} has the data folder, but nobody answers at {url}; its log says why",
                note.pid
            ),
        ),
        (Err(Unready::Absent), None) => could_listen(config).await,
        (Err(Unready::Otherwise(reason)), Some(_)) => {
            Finding::fail(CHECK, format!("it does not take requests: {reason}; its log says why"))
        }
        (Err(Unready::Otherwise(reason)), None) => Finding::fail(
            CHECK,
            format!(
                "another program has {} ({reason}): stop it, or choose another --listen",
                config.listen
            ),
        ),
    }
}

/// Whether people can reach the server where the configuration says that they can.
pub(super) async fn public_url(config: &ServeConfig, clock: &dyn Clock) -> Option<Finding> {
    const CHECK: &str = "public url";
    let url = config.public_url.as_ref()?;
    Some(match ready(url.as_str(), clock).await {
        Ok(()) => Finding::ok(CHECK, format!("{url} leads to a server that takes requests")),
        Err(Unready::Absent) => Finding::warn(CHECK, format!("nobody answers at {url}: is the proxy set up?")),
        Err(Unready::Otherwise(reason)) => Finding::warn(CHECK, format!("{url} does not lead to a server that takes requests: {reason}")),
    })
}

/// What a running server found to be wrong when it looked its store through after its start.
pub(super) async fn last_look(config: &ServeConfig, clock: &dyn Clock) -> Option<Finding> {
    const CHECK: &str = "last look";
    let note = data_folder::announced(&config.data)?;
    let client = Client::new(&note.url, &Auth::Nobody).ok()?;
    let figures = within(clock, PATIENCE, client.figures()).await.ok()?.ok()?; // a server that does not answer is a finding already
    let figure = figures.lines().find_map(|line| line.strip_prefix("tidings_store_findings "));
    Some(match figure.and_then(|figure| figure.trim().parse::<u64>().ok()) {
        Some(0) if config.database.is_some() => Finding::ok(
            CHECK,
            "the node that has been there longest looks the store through; if that is this one, it has found nothing",
        ),
        Some(0) => Finding::ok(
            CHECK,
            "the server looked its store through after its start, or still does, and has found nothing",
        ),
        Some(found) => Finding::fail(
            CHECK,
            format!(
                "the server looked its store through after its start and found {found} that is wrong: run `tidings verify`, and keep the last backup"
            ),
        ),
        None => Finding::warn(
            CHECK,
            "the server does not say what it found: its version may be another than this command's",
        ),
    })
}

/// Whether the configured name servers are there, each asked alone. Those of the machine are the machine's matter.
pub(super) async fn resolvers(config: &ServeConfig, clock: &dyn Clock) -> Vec<Finding> {
    const CHECK: &str = "egress resolver";
    let mut findings = Vec::new();
    for server in &config.egress_resolvers {
        let resolver = SystemResolver::asking(&[*server]);
        let late = |TimedOut| Err(format!("the name server {server} did not answer within {} s", PATIENCE.as_secs()));
        findings.push(match within(clock, PATIENCE, resolver.answers()).await.unwrap_or_else(late) {
            Ok(()) => Finding::ok(CHECK, format!("the name server {server} answers")),
            Err(reason) => Finding::fail(
                CHECK,
                format!("{reason}: webhooks whose host is a name fail; start it, or name another with --egress-resolver"),
            ),
        });
    }
    findings
}

/// What webhooks may reach beside the public network, by these settings: nobody can ask a running server what it was started with.
pub(super) fn egress(config: &ServeConfig) -> Finding {
    const CHECK: &str = "egress policy";
    let by = match data_folder::announced(&config.data) {
        Some(_) => "by the settings given here (the running server may have others), ",
        None => "",
    };
    let single = config.egress_environments.iter().flat_map(|(_, networks)| networks);
    let networks: Vec<IpNet> = config.egress_allow.iter().chain(single).copied().collect();
    if networks.is_empty() {
        return Finding::ok(CHECK, format!("{by}webhooks may reach public addresses only"));
    }
    let words: Vec<_> = networks.iter().map(ToString::to_string).collect();
    let words = words.join(", ");
    if AddressPolicy::new(networks).check(METADATA).is_ok() {
        let words = format!("{by}webhooks may also reach {words}: among them {METADATA}, the metadata service of clouds; allow less");
        return Finding::warn(CHECK, words);
    }
    Finding::ok(CHECK, format!("{by}webhooks may also reach {words}"))
}

/// Why a server is not ready.
enum Unready {
    /// Nobody listens there.
    Absent,
    /// Somebody does, in words.
    Otherwise(String),
}

async fn ready(url: &str, clock: &dyn Clock) -> Result<(), Unready> {
    let client = Client::new(url, &Auth::Nobody).map_err(|error| Unready::Otherwise(error.to_string()))?;
    match within(clock, PATIENCE, client.ready()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::Unreachable { .. })) => Err(Unready::Absent),
        // Tidings' own words, which are for people: why it wants no traffic.
        Ok(Err(Error::Foreign { excerpt, .. })) if excerpt.starts_with(NOT_READY) => Err(Unready::Otherwise(excerpt)),
        Ok(Err(error)) => Err(Unready::Otherwise(error.to_string())),
        Err(_) => Err(Unready::Otherwise(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn could_listen(config: &ServeConfig) -> Finding {
    const CHECK: &str = "server";
    match listen(config.listen).await {
        Ok(_) => Finding::ok(CHECK, format!("none is running; {} is free", config.listen)),
        Err(error) => Finding::fail(CHECK, error.to_string()),
    }
}
