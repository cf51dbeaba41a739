//! Whether the server can be reached, or could listen, and what webhooks may reach.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use ipnet::IpNet;
use tidings_client::{Auth, Client, Error};
use tidings_egress::AddressPolicy;
use tidings_runtime::{Clock, within};

use super::Finding;
use crate::config::ServeConfig;
use crate::data_folder;

/// How long a server may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(5);
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
        (Err(Unready::Absent), _) => could_listen(config),
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

/// What webhooks may reach beside the public network.
pub(super) fn egress(config: &ServeConfig) -> Finding {
    const CHECK: &str = "egress policy";
    let single = config.egress_environments.iter().flat_map(|(_, networks)| networks);
    let networks: Vec<IpNet> = config.egress_allow.iter().chain(single).copied().collect();
    if networks.is_empty() {
        return Finding::ok(CHECK, "webhooks may reach public addresses only");
    }
    let words: Vec<_> = networks.iter().map(ToString::to_string).collect();
    let words = words.join(", ");
    if AddressPolicy::new(networks).check(METADATA).is_ok() {
        let words = format!("webhooks may also reach {words}: among them {METADATA}, the metadata service of clouds; allow less");
        return Finding::warn(CHECK, words);
    }
    Finding::ok(CHECK, format!("webhooks may also reach {words}"))
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
        Ok(Err(error)) => Err(Unready::Otherwise(error.to_string())),
        Err(_) => Err(Unready::Otherwise(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

fn could_listen(config: &ServeConfig) -> Finding {
    const CHECK: &str = "server";
    let address = config.listen;
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(CHECK, format!("none is running; {address} is free")),
        Err(error) => {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => "another program has it: stop it, or choose another --listen",
                io::ErrorKind::PermissionDenied => "ports below 1024 are for root: choose another --listen",
                _ => "choose another --listen",
            };
            Finding::fail(CHECK, format!("{address} cannot be listened on ({error}): {advice}"))
        }
    }
}
