//! `tidings events`.

use clap::{ArgGroup, Args, Subcommand};
use tidings_client::{AcceptedEvent, Client, Event, EventFilter, NewEvent};
use tidings_model::BODY_ALTERED;

use super::arguments::{PageArgs, TextArg};
use super::deliveries;
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{one_line, or_empty, record, say, table};
use crate::session::Session;

/// Events: send one, look at what was sent.
///
/// An event is one thing that happened. It is accepted once, and never changes.
#[derive(Args)]
pub(crate) struct Events {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send an event. When it is answered, it and its deliveries are durable.
    #[command(after_help = "\
Examples:
  tidings events send frontegg.user.created \\
    --payload '{\"user\":{\"email\":\"dana@example.test\"}}'
  tidings events send frontegg.user.created --example --tenant acme
  tidings events send order.placed --payload @order.json \\
    --idempotency-key order-4711
  jq '{order: .}' order.json | tidings events send order.placed --payload -")]
    Send(Box<Send>),
    /// Show one event, the body that webhooks got, and its deliveries.
    #[command(after_help = "\
Examples:
  tidings events show evt_01hv3k9x2m4qa
  tidings events show evt_01hv3k9x2m4qa --output json | jq .body")]
    Show {
        /// Its id.
        event: String,
    },
    /// List events, newest first.
    #[command(after_help = "\
Examples:
  tidings events list
  tidings events list --event-key frontegg.user.created --tenant acme \\
    --from 2026-01-31T00:00:00Z")]
    List {
        /// Of that key.
        #[arg(long, visible_alias = "event", value_name = "KEY")]
        event_key: Option<String>,
        /// Of that tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Accepted at that time or later (RFC 3339).
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Accepted before that time (RFC 3339).
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Args)]
#[command(group(ArgGroup::new("content").required(true).args(["payload", "example"])))]
struct Send {
    /// Its key; `tidings event-types list` shows them all.
    event_key: String,
    /// Its payload, a JSON object: text, @FILE or - for standard input. Sent byte for byte.
    #[arg(long, value_name = "JSON|@FILE|-")]
    payload: Option<TextArg>,
    /// Send the catalogue's example payload.
    #[arg(long)]
    example: bool,
    /// The tenant it belongs to.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// The user it is about.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The application it comes from.
    #[arg(long, value_name = "APPLICATION")]
    application: Option<String>,
    /// Sending it again with the same key within a day is harmless.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub(crate) async fn run(args: Events) -> Outcome {
    let session = Session::open(&args.server)?;
    let client = session.in_environment().await?;
    match args.command {
        Command::Send(send) => run_send(&session, &client, *send).await,
        Command::Show { event } => {
            let answer = session.ask(client.event(&event)).await?;
            session.show(&answer, details)
        }
        Command::List {
            event_key,
            tenant,
            from,
            until,
            page,
        } => {
            let filter = EventFilter {
                event_key,
                tenant_id: tenant,
                from,
                until,
            };
            let answer = session.ask(client.events(&filter, &page.request())).await?;
            session.show_page(&answer, rows)
        }
    }
}

async fn run_send(session: &Session, client: &Client, send: Send) -> Outcome {
    let payload = match send.payload {
        Some(payload) => payload.json("--payload")?,
        None => {
            let event_type = session.ask(client.event_type(&send.event_key)).await?.value;
            let without = || CommandError::Usage(format!("{} has no example; give a --payload", send.event_key));
            event_type.example.ok_or_else(without)?
        }
    };
    let event = NewEvent {
        event_key: send.event_key,
        payload,
        tenant_id: send.tenant,
        user_id: send.user,
        application_id: send.application,
    };
    let answer = session.ask(client.send_event(&event, send.idempotency_key.as_deref())).await?;
    session.show(&answer, accepted)?;
    if answer.deliveries == 0 {
        say("No webhook is subscribed to it; it is kept all the same.");
    }
    Ok(())
}

fn accepted(event: &AcceptedEvent) -> String {
    let repeated = "yes: this idempotency key had sent it before, and nothing was stored again";
    record([
        ("id", event.id.clone()),
        ("event", event.event_key.clone()),
        ("accepted", event.accepted_at.clone()),
        ("deliveries", event.deliveries.to_string()),
        ("repeated", or_empty(event.repeated.then_some(repeated))),
    ])
}

fn rows(events: &[Event]) -> String {
    table(
        ["id", "event", "tenant", "accepted"],
        events.iter().map(|event| {
            [
                event.id.clone(),
                event.event_key.clone(),
                or_empty(event.tenant_id.as_ref()),
                if event.body_altered {
                    format!("{} (the disk altered its body)", event.accepted_at)
                } else {
                    event.accepted_at.clone()
                },
            ]
        }),
    )
}

fn details(event: &Event) -> String {
    let about = record([
        ("id", event.id.clone()),
        ("event", event.event_key.clone()),
        ("tenant", or_empty(event.tenant_id.as_ref())),
        ("user", or_empty(event.user_id.as_ref())),
        ("application", or_empty(event.application_id.as_ref())),
        ("accepted", event.accepted_at.clone()),
        ("body", event.body.as_deref().map_or_else(|| BODY_ALTERED.to_owned(), one_line)),
    ]);
    let deliveries = match event.deliveries.as_slice() {
        [] => "No webhook was subscribed to it.".to_owned(),
        deliveries => deliveries::rows(deliveries),
    };
    format!("{about}\n{deliveries}\n")
}
