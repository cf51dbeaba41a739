//! URLs of webhooks and the address policy: what is taken is what will be asked for, and no host leads to an address that is not on the public network,
//! however it is spelled and whatever its name resolves to. An input is the URL in a line,
//! whether http is allowed, and the addresses of the name, sixteen bytes each.
#![no_main]

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use tidings_egress::{AddressPolicies, AddressPolicy, Egress, EgressConfig, Resolve};
use tidings_fuzz::input::Input;
use tidings_model::limits::{HOST_CHARS_MAX, URL_CHARS_MAX};
use tidings_model::{EndpointUrl, EnvironmentId, Timestamp, Transport};
use tidings_runtime::ManualClock;
use tokio::runtime::Runtime;
use url::{Host, Url};

/// Answers every name with the addresses of the input.
#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<IpAddr>>>);

#[async_trait]
impl Resolve for Answers {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Ok(self.0.lock().expect("nobody panicked with it").clone())
    }

    fn asked(&self) -> &'static str {
        "the fuzzer"
    }
}

struct World {
    runtime: Runtime,
    egress: Egress,
    answers: Answers,
}

impl World {
    fn new() -> Self {
        let answers = Answers::default();
        let config = EgressConfig {
            policies: AddressPolicies::default(),
            resolver: Arc::new(answers.clone()),
            extra_roots: Vec::new(),
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts"),
            egress: Egress::new(config, clock).expect("without extra roots it opens"),
            answers,
        }
    }

    fn is_allowed(&self, url: &EndpointUrl) -> bool {
        self.runtime
            .block_on(self.egress.vet(EnvironmentId::from_chance([1; 16]), url))
            .is_ok()
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let Some(text) = input.line() else { return };
    let [http_allowed] = input.bytes::<1>().map(|byte| byte % 2 == 1);
    let addresses: Vec<_> = input.0.chunks_exact(16).map(address).collect();
    for address in &addresses {
        if AddressPolicy::default().check(*address).is_ok() {
            assert!(is_public(*address), "{address} was let through");
        }
    }
    let Ok(url) = EndpointUrl::parse(text, http_allowed) else {
        return;
    };
    assert!(text.len() <= URL_CHARS_MAX);
    let again = EndpointUrl::parse(url.as_str(), http_allowed);
    assert!(url.as_str().len() > URL_CHARS_MAX || again.as_ref() == Ok(&url), "{url}");
    let read = Url::parse(url.as_str()).expect("it was a URL before");
    assert!(matches!(read.scheme(), "https" | "http") && (read.scheme() == "https" || http_allowed));
    assert!(read.username().is_empty() && read.password().is_none() && read.fragment().is_none());
    assert!(
        url.as_str().bytes().all(|byte| byte.is_ascii_graphic()),
        "{url} would break a request line"
    );
    assert_ne!(url.port(), 0);

    WORLD.with_borrow(|world| {
        world.answers.0.lock().expect("nobody panicked with it").clone_from(&addresses);
        let allowed = world.is_allowed(&url);
        match url.host() {
            Host::Ipv4(host) => assert!(!allowed || is_public(host.into()), "{url}"),
            Host::Ipv6(host) => assert!(!allowed || is_public(host.into()), "{url}"),
            Host::Domain(name) => {
                assert!(name.len() <= HOST_CHARS_MAX + 1 && name.parse::<IpAddr>().is_err(), "{url}");
                assert!(!allowed || addresses.iter().copied().all(is_public), "{url} leads to {addresses:?}");
            }
        }
    });
});

/// Any address of either family: IPv4 where twelve zeros come before it, which stand for another address in IPv6 only.
fn address(bytes: &[u8]) -> IpAddr {
    let bytes: [u8; 16] = bytes.try_into().expect("chunks are of sixteen bytes");
    match bytes {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Ipv4Addr::new(a, b, c, d).into(),
        _ => Ipv6Addr::from(bytes).into(),
    }
}

/// What the standard library and plain arithmetic know of addresses, which is another list than the policy's.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_unspecified()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || shared
                || benchmark)
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let embeds_v4 = v6.to_ipv4().is_some() || first == 0x2002 || (first == 0x2001 && second == 0) || first == 0x64;
            let global_unicast = (0x2000..0x4000).contains(&first);
            global_unicast
                && !(v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || (first == 0x2001 && second == 0xdb8)
                    || embeds_v4)
        }
    }
}
