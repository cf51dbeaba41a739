//! `tidings deliveries`.

use clap::{Args, Subcommand};
use tidings_client::{Attempt, Client, Delivery, DeliveryFilter, PageRequest};
use tidings_model::BODY_ALTERED;

use super::arguments::PageArgs;
use super::test::reply_words;
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{self, milliseconds, one_line, or_empty, printable, record, say, table, wire};
use crate::session::Session;

/// Rows of a page when deliveries are sent again by filter: the most that the server gives.
const RESEND_PAGE_ROWS: u32 = 200;

/// Deliveries: what was sent where, and what came back; send again.
///
/// A delivery is one event on its way to one webhook, with every attempt that was made.
#[derive(Args)]
pub(crate) struct Deliveries {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List deliveries, newest first.
    #[command(after_help = "\
Examples:
  tidings deliveries list
  tidings deliveries list --webhook wh_01hv3k9x2m4qa --status exhausted
  tidings deliveries list --tenant acme --output json | jq -r '.data[].id'")]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one delivery: what was sent, what came back, and what was decided, attempt by attempt.
    #[command(after_help = "\
Examples:
  tidings deliveries show dlv_01hv3k9x2m4qa0001
  tidings deliveries show dlv_01hv3k9x2m4qa0001 --output json | jq .requestBody")]
    Show {
        /// Its id.
        delivery: String,
    },
    /// Send deliveries again: those named, or all that a filter admits.
    #[command(after_help = "\
Examples:
  tidings deliveries resend dlv_01hv3k9x2m4qa0001
  tidings deliveries resend --webhook wh_01hv3k9x2m4qa \\
    --status exhausted --dry-run
  tidings deliveries resend --status exhausted --from 2026-01-31T00:00:00Z")]
    Resend {
        /// The ids of deliveries.
        deliveries: Vec<String>,
        #[command(flatten)]
        filter: FilterArgs,
        /// Only list what would be sent again.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Args, Clone, Debug)]
struct FilterArgs {
    /// To that webhook.
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// pending, retrying, delivered, exhausted or cancelled.
    #[arg(long)]
    status: Option<String>,
    /// Of events of that key.
    #[arg(long, visible_alias = "event", value_name = "KEY")]
    event_key: Option<String>,
    /// Of that event.
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// Of events of that tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Made at that time or later (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Made before that time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl FilterArgs {
    fn filter(self) -> DeliveryFilter {
        DeliveryFilter {
            webhook_id: self.webhook,
            status: self.status,
            event_key: self.event_key,
            tenant_id: self.tenant,
            event_id: self.event_id,
            from: self.from,
            until: self.until,
        }
    }
}

pub(crate) async fn run(args: Deliveries) -> Outcome {
    let session = Session::open(&args.server)?;
    match args.command {
        Command::List { filter, page } => {
            let client = session.in_environment().await?;
            let answer = session.ask(client.deliveries(&filter.filter(), &page.request())).await?;
            session.show_page(&answer, rows)
        }
        Command::Show { delivery } => {
            let client = session.in_environment().await?;
            let answer = session.ask(client.delivery(&delivery)).await?;
            session.show(&answer, details)
        }
        Command::Resend {
            deliveries,
            filter,
            dry_run,
        } => {
            let wanted = Wanted::of(deliveries, filter)?;
            let mut resend = Resend {
                client: session.in_environment().await?,
                session,
                dry_run,
                sent: 0,
                refused: 0,
            };
            resend.run(wanted).await
        }
    }
}

/// What is to be sent again.
#[derive(Debug)]
enum Wanted {
    Named(Vec<String>),
    Matching(DeliveryFilter),
}

impl Wanted {
    fn of(deliveries: Vec<String>, filter: FilterArgs) -> Result<Self, CommandError> {
        let filter = filter.filter();
        let DeliveryFilter {
            webhook_id,
            status,
            event_key,
            tenant_id,
            event_id,
            from,
            until,
        } = &filter;
        let filtered = [webhook_id, status, event_key, tenant_id, event_id, from, until]
            .iter()
            .any(|part| part.is_some());
        match (deliveries.is_empty(), filtered, status) {
            (false, false, _) => Ok(Self::Named(deliveries)),
            (false, true, _) => Err(CommandError::Usage(
                "name deliveries, or give a filter; both together say two things".to_owned(),
            )),
            (true, _, Some(_)) => Ok(Self::Matching(filter)),
            (true, _, None) => Err(CommandError::Usage(
                "say which: the ids of deliveries, or a filter with a --status (mostly --status exhausted)".to_owned(),
            )),
        }
    }
}

/// Sends deliveries again and counts.
struct Resend {
    session: Session,
    client: Client,
    dry_run: bool,
    sent: u64,
    refused: u64,
}

impl Resend {
    async fn run(&mut self, wanted: Wanted) -> Outcome {
        match wanted {
            Wanted::Named(ids) => {
                for id in ids {
                    self.one(&id).await?;
                }
            }
            Wanted::Matching(filter) => self.matching(&filter).await?,
        }
        let verb = if self.dry_run { "Would send" } else { "Sent" };
        say(&format!("{verb} {} again; {} refused.", self.sent, self.refused));
        if self.refused > 0 { Err(CommandError::No) } else { Ok(()) }
    }

    /// Page by page, from the newest back: what is sent again is newer than the page, so it never comes round.
    async fn matching(&mut self, filter: &DeliveryFilter) -> Outcome {
        let mut page = PageRequest {
            limit: Some(RESEND_PAGE_ROWS),
            cursor: None,
        };
        loop {
            let found = self.session.ask(self.client.deliveries(filter, &page)).await?.value;
            for delivery in found.data {
                self.one(&delivery.id).await?;
            }
            if found.next_cursor.is_none() {
                return Ok(());
            }
            page.cursor = found.next_cursor;
        }
    }

    async fn one(&mut self, id: &str) -> Outcome {
        if self.dry_run {
            self.sent += 1;
            return Ok(output::print(id)?);
        }
        match self.session.ask(self.client.resend(id)).await {
            Ok(answer) => {
                self.sent += 1;
                self.session.show(&answer, |delivery| delivery.id.clone())
            }
            Err(CommandError::Asking(tidings_client::Error::Problem(problem))) if matches!(problem.status, 404 | 409 | 422) => {
                self.refused += 1;
                say(&format!("{id}: {}", printable(&problem.detail)));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// A table of deliveries.
pub(super) fn rows(deliveries: &[Delivery]) -> String {
    table(
        ["id", "event", "webhook", "status", "attempts", "last", "next attempt", "created"],
        deliveries.iter().map(|delivery| {
            [
                delivery.id.clone(),
                delivery.event_key.clone(),
                delivery.webhook_id.clone(),
                delivery.status.clone(),
                delivery.attempts.to_string(),
                or_empty(delivery.last_status_code),
                or_empty(delivery.next_attempt_at.as_ref()),
                delivery.created_at.clone(),
            ]
        }),
    )
}

fn details(delivery: &Delivery) -> String {
    let body = if delivery.body_altered {
        BODY_ALTERED.to_owned()
    } else {
        or_empty(delivery.request_body.as_deref().map(one_line))
    };
    let mut text = record([
        ("id", delivery.id.clone()),
        ("event", delivery.event_key.clone()),
        ("event id", delivery.event_id.clone()),
        ("webhook", delivery.webhook_id.clone()),
        ("tenant", or_empty(delivery.tenant_id.as_ref())),
        ("trigger", delivery.trigger.clone()),
        ("status", delivery.status.clone()),
        ("reason", or_empty(delivery.cancel_reason.as_ref())),
        ("next attempt", or_empty(delivery.next_attempt_at.as_ref())),
        ("created", delivery.created_at.clone()),
        ("finished", or_empty(delivery.finished_at.as_ref())),
        ("body", body),
    ]);
    for attempt in &delivery.attempt_log {
        text.push('\n');
        text += &attempt_words(attempt);
    }
    text
}

fn attempt_words(attempt: &Attempt) -> String {
    let verdict = match &attempt.reason {
        Some(reason) => format!("{}: {reason}", attempt.verdict),
        None => attempt.verdict.clone(),
    };
    let title = format!("attempt {}", attempt.number);
    let exchange = &attempt.exchange;
    let mut text = record([
        (title.as_str(), attempt.started_at.clone()),
        ("  verdict", verdict),
        ("  url", attempt.url.clone()),
        ("  address", or_empty(exchange.address.as_ref())),
        ("  took", milliseconds(exchange.timings.total_us)),
        ("  failure", or_empty(exchange.failure.as_ref().map(|failure| &failure.message))),
    ]);
    text += &wire('>', attempt.request_headers.iter().map(|(name, value)| format!("{name}: {value}")));
    text + &exchange.reply.as_ref().map(reply_words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct OnlyFilter {
        #[command(flatten)]
        filter: FilterArgs,
    }

    fn wanted(ids: &[&str], filter: &[&str]) -> Result<Wanted, String> {
        let filter = OnlyFilter::try_parse_from(["resend"].iter().chain(filter)).unwrap().filter;
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Wanted::of(ids, filter).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_sent_again_is_named_or_filtered_by_status_and_never_everything() {
        assert!(matches!(wanted(&["dlv_1"], &[]), Ok(Wanted::Named(ids)) if ids == ["dlv_1"]));
        assert!(matches!(wanted(&[], &["--status", "exhausted"]), Ok(Wanted::Matching(_))));
        assert!(wanted(&[], &[]).unwrap_err().starts_with("say which"));
        assert!(wanted(&[], &["--webhook", "wh_1"]).unwrap_err().starts_with("say which"));
        assert!(
            wanted(&["dlv_1"], &["--status", "exhausted"])
                .unwrap_err()
                .starts_with("name deliveries, or")
        );
    }
}
