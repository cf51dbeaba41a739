//! Networks for trials: a namespace of its own for one node, with two wires to this machine: by one it reaches the database, by the other it is asked and sends.
//! The first can be cut.
//!
//! Everything is removed when the value is dropped. Needs root. Never touches a network that it has not made.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::{bail, ensure};
use rustix::process::geteuid;

use crate::say;
use crate::tools::run;

/// Wires have addresses of this network, which is for measuring and is never routed on the internet.
const NETWORK: [u8; 2] = [198, 18];
/// What nodes have to be allowed to send to.
pub(crate) const ALLOWED: &str = "198.18.0.0/15";
/// The address of a machine that is not there.
const NOBODY: &str = "02:00:00:00:00:01";
/// Bits of a mark that addresses are made of.
const MARKS: u16 = 0b1110_0001_1111_1111;
/// Tries to find names and addresses that nobody else has.
const TRIES: u32 = 20;

/// A wire: its end on this machine, its end in the namespace, and this machine's address on it.
struct Wire {
    here: String,
    there: String,
    addresses: [Ipv4Addr; 2],
}

/// See the module.
pub(crate) struct Network {
    name: String,
    database: Wire,
    world: Wire,
}

impl Wire {
    /// Two of four addresses that follow each other; `letter` tells the wires of a network apart.
    fn new(mark: u16, letter: char, offset: u8) -> Self {
        let [high, low] = mark.to_be_bytes();
        let address = |last: u8| Ipv4Addr::new(NETWORK[0], NETWORK[1] + (high & 1), low, (high & 0b1110_0000) | offset | last);
        Self {
            here: format!("td{mark:04x}{letter}h"),
            there: format!("td{mark:04x}{letter}n"),
            addresses: [address(1), address(2)],
        }
    }

    fn lay(&self, namespace: &str) -> anyhow::Result<()> {
        let [here, there] = self.addresses.map(|address| format!("{address}/30"));
        ip(&[
            "link",
            "add",
            &self.here,
            "type",
            "veth",
            "peer",
            "name",
            &self.there,
            "netns",
            namespace,
        ])?;
        ip(&["addr", "add", &here, "dev", &self.here])?;
        ip(&["link", "set", &self.here, "up"])?;
        ip(&["-n", namespace, "addr", "add", &there, "dev", &self.there])?;
        ip(&["-n", namespace, "link", "set", &self.there, "up"])
    }
}

impl Network {
    /// A new one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        ensure!(geteuid().is_root(), "making networks needs root");
        for _ in 0..TRIES {
            let mark = fastrand::u16(..) & MARKS;
            let name = format!("tidings-trial-{mark:04x}");
            match ip(&["netns", "add", &name]) {
                Err(error) if error.to_string().contains("File exists") => continue, // somebody else's
                made => made?,
            }
            let network = Self {
                name,
                database: Wire::new(mark, 'd', 0),
                world: Wire::new(mark, 'w', 4),
            };
            ip(&["-n", &network.name, "link", "set", "lo", "up"])?;
            network.database.lay(&network.name)?;
            network.world.lay(&network.name)?;
            return Ok(network);
        }
        bail!("no name of a network namespace is free")
    }

    /// Runs a program in it.
    pub(crate) fn under(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).into()
    }

    /// Where the database is reached by the wire that can be cut.
    pub(crate) fn database(&self) -> IpAddr {
        self.database.addresses[0].into()
    }

    /// Where this machine is reached by the other wire.
    pub(crate) fn here(&self) -> IpAddr {
        self.world.addresses[0].into()
    }

    /// Where a node in the namespace is reached by it.
    pub(crate) fn there(&self) -> IpAddr {
        self.world.addresses[1].into()
    }

    /// From now on nothing comes through to the database or back, and nobody is told so: what is sent goes to a machine that is not there.
    pub(crate) fn cut(&self) -> anyhow::Result<()> {
        let Wire { here, there, addresses } = &self.database;
        let [database, node] = addresses.map(|address| address.to_string());
        let nobody = ["lladdr", NOBODY, "nud", "permanent"];
        ip(&[&["neigh", "replace", &node, "dev", here], &nobody[..]].concat())?;
        ip(&[&["-n", &self.name, "neigh", "replace", &database, "dev", there], &nobody[..]].concat())
    }

    /// Everything comes through again.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        let Wire { here, there, addresses } = &self.database;
        let [database, node] = addresses.map(|address| address.to_string());
        ip(&["neigh", "del", &node, "dev", here])?;
        ip(&["-n", &self.name, "neigh", "del", &database, "dev", there])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for removed in [
            &["link", "del", &self.database.here][..],
            &["link", "del", &self.world.here],
            &["netns", "del", &self.name],
        ] {
            if let Err(error) = ip(removed) {
                say(&format!("a network is still there: {error:#}"));
            }
        }
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments))
}

/// Whether a node can be cut off on this machine, and what is missing if not.
pub fn can_cut_off() -> anyhow::Result<()> {
    let network = Network::new()?;
    network.cut()?;
    network.heal()
}
