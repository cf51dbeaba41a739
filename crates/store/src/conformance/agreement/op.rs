//! What can happen in the small world, and how likely it is. Things are named by slots and places, not by ids: what they are is found while it happens.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidings_model::delivery::StatusFilter;

use super::history::{self, History};
use super::people::{self, PersonOp};

/// Environments of the world.
pub(super) const ENVIRONMENTS: usize = 2;
/// Webhooks of the world; the n-th belongs to the environment n % [`ENVIRONMENTS`].
pub(super) const WEBHOOKS: usize = 3;

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// The clock goes on, or back, by milliseconds.
    Move(i64),
    Configure(Configure),
    Person(PersonOp),
    History(History),
    Road(Road),
    Read(Read),
}

/// What people configure.
#[derive(Clone, Debug)]
pub(super) enum Configure {
    CreateEnvironment { slot: usize },
    RenameEnvironment { slot: usize, to: u8 },
    ChangeSettings { slot: usize, timeout_ms: u64 },
    DeleteEnvironment { slot: usize, force: bool },
    CopyEnvironment { from: usize, to: usize },
    CreateEventType { slot: usize, key: u8 },
    DeleteEventType { slot: usize, key: u8 },
    CreateCredential { slot: usize },
    DeleteCredential { slot: usize, number: usize },
    CreateWebhook { slot: usize, tenant: Option<u8> },
    ReplaceWebhook { slot: usize, active: bool, outdated: bool },
    DeleteWebhook { slot: usize },
    DisableWebhook { slot: usize },
}

/// An event to append.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) slot: usize,
    pub(super) key: u8,
    pub(super) tenant: Option<u8>,
    pub(super) stale: bool,
    /// Key, fingerprint and milliseconds to live.
    pub(super) idempotency: Option<(u8, u8, i64)>,
    /// Webhooks of the routing, by their places in it.
    pub(super) targets: Vec<(usize, Beginning)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Beginning {
    Leased,
    Due,
    Skipped,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Delivered,
    /// To be retried after so many milliseconds.
    RetryIn(i64),
    Exhausted,
    Gone,
}

/// What happens to events. Leases and events are counted from the newest.
#[derive(Clone, Debug)]
pub(super) enum Road {
    Append(Vec<Draft>),
    Lease {
        slot: usize,
        want: usize,
    },
    Settle(Vec<(usize, Ending)>),
    Release(Vec<usize>),
    Cancel {
        slot: usize,
        limit: usize,
    },
    Resend {
        event: usize,
        ordinal: u32,
    },
    Prune {
        slot: usize,
        age_ms: i64,
        limit: usize,
    },
    PruneDeleted {
        limit: usize,
    },
    /// None or all: which of them go first is the store's own.
    ForgetKeys {
        limit: usize,
    },
}

/// A filter of deliveries; the webhook and the event are counted as on the road.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    pub(super) webhook: Option<usize>,
    pub(super) owner: Option<u8>,
    pub(super) event: Option<usize>,
    pub(super) status: Option<StatusFilter>,
    pub(super) key: Option<u8>,
    pub(super) tenant: Option<u8>,
    pub(super) from_age_ms: Option<i64>,
    pub(super) until_age_ms: Option<i64>,
    pub(super) attempted: bool,
}

/// A page that begins after an event counted from the newest, and after that place among its deliveries.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) before: Option<(usize, u32)>,
    pub(super) skip: usize,
    pub(super) limit: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Read {
    Deliveries {
        slot: usize,
        narrow: Narrow,
        part: Part,
    },
    Count {
        slot: usize,
        narrow: Narrow,
        cap: usize,
    },
    Events {
        slot: usize,
        narrow: Narrow,
        part: Part,
    },
    Webhooks {
        slot: usize,
        tenant: Option<u8>,
        active: Option<bool>,
        search: Option<u8>,
        in_trouble: bool,
        part: Part,
    },
    Detail {
        slot: usize,
        event: usize,
        ordinal: u32,
    },
}

/// A run of operations, in a world that begins with its environments and webhooks.
pub(super) fn run() -> impl Strategy<Value = Vec<Op>> {
    let begin = (0..ENVIRONMENTS)
        .map(|slot| Op::Configure(Configure::CreateEnvironment { slot }))
        .chain((0..WEBHOOKS).map(|slot| {
            Op::Configure(Configure::CreateWebhook {
                slot,
                tenant: (slot > 0).then_some(slot as u8),
            })
        }));
    let begin: Vec<_> = begin.collect();
    vec(op(), 10..60).prop_map(move |ops| begin.iter().cloned().chain(ops).collect())
}

fn op() -> impl Strategy<Value = Op> {
    let jump = prop_oneof![
        Just(1_i64),
        Just(-1),
        Just(1_000),
        Just(-30_000),
        Just(10_000),
        Just(59_999),
        Just(60_000),
        Just(200_000)
    ];
    prop_oneof![
        4 => jump.prop_map(Op::Move),
        4 => configure().prop_map(Op::Configure),
        3 => people::ops().prop_map(Op::Person),
        3 => history::ops().prop_map(Op::History),
        12 => road().prop_map(Op::Road),
        4 => read().prop_map(Op::Read),
    ]
}

fn configure() -> impl Strategy<Value = Configure> {
    let (environment, webhook) = (0..ENVIRONMENTS, 0..WEBHOOKS);
    prop_oneof![
        2 => environment.clone().prop_map(|slot| Configure::CreateEnvironment { slot }),
        1 => (environment.clone(), 0..3_u8).prop_map(|(slot, to)| Configure::RenameEnvironment { slot, to }),
        1 => (environment.clone(), 1_000..1_003_u64).prop_map(|(slot, timeout_ms)| Configure::ChangeSettings { slot, timeout_ms }),
        1 => (environment.clone(), prop::bool::weighted(0.2)).prop_map(|(slot, force)| Configure::DeleteEnvironment { slot, force }),
        1 => (environment.clone(), environment.clone()).prop_map(|(from, to)| Configure::CopyEnvironment { from, to }),
        1 => (environment.clone(), 0..3_u8).prop_map(|(slot, key)| Configure::CreateEventType { slot, key }),
        1 => (environment.clone(), 0..3_u8).prop_map(|(slot, key)| Configure::DeleteEventType { slot, key }),
        1 => environment.clone().prop_map(|slot| Configure::CreateCredential { slot }),
        1 => (environment, 0..4_usize).prop_map(|(slot, number)| Configure::DeleteCredential { slot, number }),
        3 => (webhook.clone(), tenant()).prop_map(|(slot, tenant)| Configure::CreateWebhook { slot, tenant }),
        4 => (webhook.clone(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(slot, active, outdated)| Configure::ReplaceWebhook { slot, active, outdated }),
        2 => webhook.clone().prop_map(|slot| Configure::DeleteWebhook { slot }),
        2 => webhook.prop_map(|slot| Configure::DisableWebhook { slot }),
    ]
}

fn tenant() -> impl Strategy<Value = Option<u8>> {
    option::of(0..3_u8)
}

fn draft() -> impl Strategy<Value = Draft> {
    let beginning = prop_oneof![Just(Beginning::Leased), Just(Beginning::Due), Just(Beginning::Skipped)];
    let promise = (0..3_u8, 0..2_u8, prop_oneof![Just(1_000_i64), Just(100_000)]);
    let targets = vec((0..WEBHOOKS, beginning), 0..4);
    (
        0..ENVIRONMENTS,
        0..3_u8,
        tenant(),
        prop::bool::weighted(0.05),
        option::of(promise),
        targets,
    )
        .prop_map(|(slot, key, tenant, stale, idempotency, targets)| Draft {
            slot,
            key,
            tenant,
            stale,
            idempotency,
            targets,
        })
}

fn road() -> impl Strategy<Value = Road> {
    let ending = prop_oneof![
        Just(Ending::Delivered),
        prop_oneof![Just(0_i64), Just(5_000), Just(90_000)].prop_map(Ending::RetryIn),
        Just(Ending::Exhausted),
        Just(Ending::Gone),
    ];
    let age = prop_oneof![Just(0_i64), Just(-1), Just(10_000), Just(100_000)];
    prop_oneof![
        5 => vec(draft(), 1..4).prop_map(Road::Append),
        5 => (0..WEBHOOKS, 0..4_usize).prop_map(|(slot, want)| Road::Lease { slot, want }),
        5 => vec((0..6_usize, ending), 1..4).prop_map(Road::Settle),
        1 => vec(0..6_usize, 1..3).prop_map(Road::Release),
        2 => (0..WEBHOOKS, 0..4_usize).prop_map(|(slot, limit)| Road::Cancel { slot, limit }),
        3 => (0..5_usize, 0..4_u32).prop_map(|(event, ordinal)| Road::Resend { event, ordinal }),
        2 => (0..ENVIRONMENTS, age, 0..3_usize).prop_map(|(slot, age_ms, limit)| Road::Prune { slot, age_ms, limit }),
        1 => (0..5_usize).prop_map(|limit| Road::PruneDeleted { limit }),
        1 => prop_oneof![Just(0), Just(1_000)].prop_map(|limit| Road::ForgetKeys { limit }),
    ]
}

fn narrow() -> impl Strategy<Value = Narrow> {
    let status = prop_oneof![
        Just(StatusFilter::Pending),
        Just(StatusFilter::Retrying),
        Just(StatusFilter::Delivered),
        Just(StatusFilter::Exhausted),
        Just(StatusFilter::Cancelled),
    ];
    let seldom = 0.25;
    (
        option::weighted(0.5, 0..WEBHOOKS),
        option::weighted(seldom, 0..3_u8),
        option::weighted(seldom, 0..5_usize),
        option::weighted(0.5, status),
        option::weighted(seldom, 0..3_u8),
        option::weighted(seldom, 0..3_u8),
        option::weighted(seldom, 0..70_000_i64),
        option::weighted(seldom, 0..70_000_i64),
        prop::bool::weighted(seldom),
    )
        .prop_map(
            |(webhook, owner, event, status, key, tenant, from_age_ms, until_age_ms, attempted)| Narrow {
                webhook,
                owner,
                event,
                status,
                key,
                tenant,
                from_age_ms,
                until_age_ms,
                attempted,
            },
        )
}

fn part() -> impl Strategy<Value = Part> {
    (option::of((0..5_usize, 0..4_u32)), 0..3_usize, 0..6_usize).prop_map(|(before, skip, limit)| Part { before, skip, limit })
}

fn read() -> impl Strategy<Value = Read> {
    let slot = 0..ENVIRONMENTS;
    prop_oneof![
        4 => (slot.clone(), narrow(), part()).prop_map(|(slot, narrow, part)| Read::Deliveries { slot, narrow, part }),
        2 => (slot.clone(), narrow(), 0..8_usize).prop_map(|(slot, narrow, cap)| Read::Count { slot, narrow, cap }),
        2 => (slot.clone(), narrow(), part()).prop_map(|(slot, narrow, part)| Read::Events { slot, narrow, part }),
        2 => (slot.clone(), tenant(), option::of(any::<bool>()), option::of(0..6_u8), prop::bool::weighted(0.3), part())
            .prop_map(|(slot, tenant, active, search, in_trouble, part)| Read::Webhooks { slot, tenant, active, search, in_trouble, part }),
        2 => (slot, 0..5_usize, 0..4_u32).prop_map(|(slot, event, ordinal)| Read::Detail { slot, event, ordinal }),
    ]
}
