//! `tidings demo`: a server, a receiver that verifies, every built-in event once, and one that fails twice before it succeeds.

mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::value::RawValue;
use tidings_client::{Auth, Client, EnvironmentChange, NewEvent, NewEventType, NewWebhook, SettingsChange};
use tidings_runtime::{Clock, Entropy, SystemClock, SystemEntropy, TimedOut, within};
use tidings_signing::Secret;

use self::table::{Row, Table};
use crate::config::ServeConfig;
use crate::data_folder::DataFolderError;
use crate::failure::Outcome;
use crate::node::Node;
use crate::output::say;
use crate::receive::{Delivery, Manners, Receiver, Signature};
use crate::serve::told_to_stop;

/// The event type that the demo adds: its receiver fails twice.
const FLAKY_KEY: &str = "demo.flaky";
/// Where it goes.
const FLAKY_PATH: &str = "/flaky";
/// Retries of the demo come quickly, so that one can watch them.
const RETRY_SCHEDULE: [u64; 5] = [0, 1, 1, 2, 5];
/// Longest wait for everything to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// See it work: a server, a receiver, every built-in event once.
///
/// Starts a server on a data folder of its own and a receiver that verifies every signature, sends every built-in event once and one that fails twice
/// before it succeeds, and shows each delivery. Then it keeps serving until Ctrl-C, which removes its data.
#[derive(Args)]
pub(crate) struct Demo {
    /// Exit after the table, with status 70 if anything is missing from it.
    #[arg(long)]
    once: bool,
    /// Where the server listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// An event that was sent and not yet seen to arrive.
struct Sent {
    key: String,
    sent_us: u64,
}

/// Runs the demo. An error if anything is missing from the table.
pub(crate) async fn run(args: Demo) -> Outcome {
    let folder = tempfile::Builder::new()
        .prefix("tidings-demo-")
        .tempdir()
        .map_err(|source| DataFolderError::Unusable {
            path: std::env::temp_dir(),
            source,
        })?;
    let config = ServeConfig::for_demo(folder.path(), args.listen);
    let clock = SystemClock::new();
    let node = Node::start(&config).await?;
    let secret = Secret::generate(&SystemEntropy.bytes32());
    let manners = Manners {
        secret: Some(secret.clone()),
        flaky_path: Some(FLAKY_PATH),
        ..Manners::default()
    };
    let receiver = Receiver::start(SocketAddr::from(([127, 0, 0, 1], 0)), manners, clock, &node.tasks).await?;
    say(&format!(
        "tidings {} is listening on {}; a receiver that verifies every signature on {}\n",
        env!("CARGO_PKG_VERSION"),
        node.url,
        receiver.url
    ));
    let receiver_url = receiver.url.clone();
    let shown = show(&node, receiver, &secret, clock).await;
    let told = if args.once || shown.is_err() {
        Ok(())
    } else {
        invite(&node, &receiver_url, &secret);
        told_to_stop(&node.shutdown).await
    };
    node.stop(config.shutdown_grace).await;
    Ok(shown.and(told)?)
}

async fn show(node: &Node, receiver: Receiver, secret: &Secret, clock: SystemClock) -> anyhow::Result<()> {
    let client = client(node)?;
    subscribe(&client, &receiver.url, secret).await?;
    let types = client.event_types().await?.value.data;
    let mut table = Table::begin(types.iter().map(|event_type| event_type.key.len()).max().unwrap_or_default());
    let mut sent = BTreeMap::new();
    for event_type in &types {
        let payload = event_type.example.clone().unwrap_or_else(empty);
        let sent_us = clock.monotonic_us();
        let event = NewEvent {
            event_key: event_type.key.clone(),
            payload,
            tenant_id: Some("demo-tenant".to_owned()),
            user_id: None,
            application_id: None,
        };
        let accepted = client.send_event(&event, None).await?.value;
        sent.insert(
            accepted.id,
            Sent {
                key: event_type.key.clone(),
                sent_us,
            },
        );
    }
    let count = sent.len();
    let missing = within(&clock, PATIENCE, watch(&client, receiver, &mut sent, &mut table)).await;
    match missing {
        Ok(done) => done?,
        Err(TimedOut) => {
            let keys: Vec<_> = sent.values().map(|sent| sent.key.as_str()).collect();
            anyhow::bail!(
                "{} of {count} events did not arrive within {} s: {}",
                keys.len(),
                PATIENCE.as_secs(),
                keys.join(", ")
            );
        }
    }
    table.end(count);
    Ok(())
}

/// Shows each event as it arrives, until all have.
async fn watch(client: &Client, mut receiver: Receiver, sent: &mut BTreeMap<String, Sent>, table: &mut Table) -> anyhow::Result<()> {
    while !sent.is_empty() {
        let delivery = receiver.deliveries.recv().await.context("the receiver stopped")?;
        ensure!(
            delivery.signature == Signature::Verified,
            "{}: the signature is {}",
            delivery.event_key,
            delivery.signature
        );
        if !delivery.answered.is_some_and(|status| status.is_success()) {
            table.failed(&delivery.event_key, delivery.tries);
            continue;
        }
        let Some(arrived) = sent.remove(&delivery.id) else {
            continue; // a duplicate: at least once
        };
        let elapsed_us = delivery.arrived_us.saturating_sub(arrived.sent_us);
        let (status, attempts) = recorded(client, &delivery).await?;
        table.row(&Row {
            key: &arrived.key,
            status: &status,
            attempts,
            elapsed_us,
            signature: &delivery.signature.to_string(),
        });
    }
    Ok(())
}

/// What the log says of a delivery that has arrived: asked until it is recorded, which is moments later.
async fn recorded(client: &Client, delivery: &Delivery) -> anyhow::Result<(String, u64)> {
    loop {
        let event = client.event(&delivery.id).await?.value;
        let deliveries = &event.deliveries;
        ensure!(
            deliveries.len() == 1,
            "{} has {} deliveries instead of one",
            delivery.event_key,
            deliveries.len()
        );
        if deliveries[0].status == "delivered" {
            return Ok((deliveries[0].status.clone(), u64::from(deliveries[0].attempts)));
        }
    }
}

async fn subscribe(client: &Client, receiver: &str, secret: &Secret) -> anyhow::Result<()> {
    let environments = client.environments().await?.value.data;
    let environment = environments.first().context("a first start makes an environment")?;
    let settings = SettingsChange {
        http_allowed: Some(true),
        retry_schedule: Some(RETRY_SCHEDULE.to_vec()),
        ..SettingsChange::default()
    };
    client
        .change_environment(
            &environment.id,
            &EnvironmentChange {
                name: None,
                settings: Some(settings),
            },
        )
        .await?;
    let categories: std::collections::BTreeSet<_> = client
        .event_types()
        .await?
        .value
        .data
        .into_iter()
        .map(|event_type| event_type.category)
        .collect();
    let flaky = NewEventType {
        key: FLAKY_KEY.to_owned(),
        category: "Demo".to_owned(),
        description: Some("An event whose receiver fails twice before it takes it.".to_owned()),
        ..NewEventType::default()
    };
    client.create_event_type(&flaky).await?;
    let whole_catalogue = categories.iter().map(|category| format!("{category}.*")).collect();
    for (name, path, event_keys) in [
        ("the whole catalogue", "", whole_catalogue),
        ("fails twice", "flaky", vec![FLAKY_KEY.to_owned()]),
    ] {
        let webhook = NewWebhook {
            name: Some(name.to_owned()),
            url: format!("{receiver}{path}"),
            secret: Some(tidings_client::Secret::new(secret.expose())),
            event_keys,
            ..NewWebhook::default()
        };
        client.create_webhook(&webhook).await?;
    }
    Ok(())
}

fn client(node: &Node) -> anyhow::Result<Client> {
    let first = node.first_start.as_ref().context("the demo's data folder is new")?;
    let secret = first.generated_secret.as_deref().context("its secret was generated")?;
    let auth = Auth::Basic {
        client_id: first.client_id.to_string(),
        secret: tidings_client::Secret::new(secret),
    };
    Ok(Client::new(&node.url, &auth)?)
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

fn invite(node: &Node, receiver: &str, signed_with: &Secret) {
    let Some((id, secret)) = node
        .first_start
        .as_ref()
        .and_then(|first| Some((&first.client_id, first.generated_secret.as_ref()?)))
    else {
        return;
    };
    say(&format!(
        "\nIt keeps serving on {}. Ctrl-C stops it and removes its data.",
        node.url
    ));
    if let Some(link) = &node.setup_link {
        say("\nSee all of it in the portal; this link lets you choose an address and a password, once:\n");
        say(&format!("  {link}"));
        say("\nA webhook of your own can deliver to the demo's receiver, which verifies with this secret and answers 200:\n");
        say(&format!("  {receiver}  {}", signed_with.expose()));
    }
    say("\nIn another terminal:\n");
    say(&format!(
        "  export TIDINGS_URL={} TIDINGS_CLIENT_ID={id} TIDINGS_CLIENT_SECRET={secret}",
        node.url
    ));
    say("  tidings deliveries list");
    say("  curl -u \"$TIDINGS_CLIENT_ID:$TIDINGS_CLIENT_SECRET\" \"$TIDINGS_URL/v1/events\" \\");
    say("    -d '{\"eventKey\":\"frontegg.user.created\",\"payload\":{\"user\":{\"email\":\"you@example.test\"}}}'");
}
