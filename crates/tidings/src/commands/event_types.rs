//! `tidings event-types`.

use clap::{Args, Subcommand};
use tidings_client::{EventType, NewEventType};

use super::arguments::TextArg;
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{one_line, or_empty, record, say, table, yes_no};
use crate::session::Session;

/// Event types: the catalogue, and an environment's own.
///
/// The catalogue says which events there are: the built-in ones, and those that an environment adds.
#[derive(Args)]
pub(crate) struct EventTypes {
    #[command(flatten)]
    server: Flags<Ask>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the catalogue.
    #[command(after_help = "\
Examples:
  tidings event-types list
  tidings event-types list --category 'User Management'
  tidings event-types list --output json | jq -r '.data[].key'")]
    List {
        /// Only that category (of the table; JSON holds the whole catalogue).
        #[arg(long)]
        category: Option<String>,
    },
    /// Show one event type with an example of the body that webhooks get.
    #[command(after_help = "Example:\n  tidings event-types show frontegg.user.created")]
    Show {
        /// Its key.
        key: String,
    },
    /// Add an event type to the environment.
    #[command(after_help = "\
Examples:
  tidings event-types create order.placed --category Orders
  tidings event-types create order.placed --category Orders \\
    --description 'An order came in.' --example @order.json")]
    Create(Create),
    /// Remove an event type that the environment added.
    #[command(after_help = "Example:\n  tidings event-types delete order.placed")]
    Delete {
        /// Its key.
        key: String,
    },
}

#[derive(Args)]
struct Create {
    /// Its key, unique in the environment.
    key: String,
    /// Its category.
    #[arg(long)]
    category: String,
    /// Its name for people.
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// When it happens.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// An example payload: JSON, @FILE or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    example: Option<TextArg>,
    /// A JSON Schema that payloads are held to: JSON, @FILE or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    schema: Option<TextArg>,
}

impl Create {
    fn draft(self) -> Result<NewEventType, CommandError> {
        Ok(NewEventType {
            key: self.key,
            category: self.category,
            display_name: self.display_name,
            description: self.description,
            example: self.example.map(|text| text.json("--example")).transpose()?,
            schema: self.schema.map(|text| text.json("--schema")).transpose()?,
        })
    }
}

pub(crate) async fn run(args: EventTypes) -> Outcome {
    let session = Session::open(&args.server)?;
    let client = session.in_environment().await?;
    match args.command {
        Command::List { category } => {
            let answer = session.ask(client.event_types()).await?;
            session.show(&answer, |listing| rows(&listing.data, category.as_deref()))
        }
        Command::Show { key } => {
            let answer = session.ask(client.event_type(&key)).await?;
            session.show(&answer, details)
        }
        Command::Create(create) => {
            let answer = session.ask(client.create_event_type(&create.draft()?)).await?;
            session.show(&answer, details)
        }
        Command::Delete { key } => {
            session.ask(client.delete_event_type(&key)).await?;
            say(&format!("Deleted the event type {key}."));
            Ok(())
        }
    }
}

fn rows(types: &[EventType], category: Option<&str>) -> String {
    let wanted = |event_type: &&EventType| category.is_none_or(|category| event_type.category.eq_ignore_ascii_case(category));
    table(
        ["key", "category", "built in", "description"],
        types.iter().filter(wanted).map(|event_type| {
            [
                event_type.key.clone(),
                event_type.category.clone(),
                yes_no(event_type.built_in),
                or_empty(event_type.description.as_ref()),
            ]
        }),
    )
}

fn details(event_type: &EventType) -> String {
    record([
        ("key", event_type.key.clone()),
        ("category", event_type.category.clone()),
        ("name", or_empty(event_type.display_name.as_ref())),
        ("description", or_empty(event_type.description.as_ref())),
        ("built in", yes_no(event_type.built_in)),
        ("payload objects", event_type.payload_objects.join(", ")),
        ("example body", or_empty(event_type.example_body.as_deref().map(one_line))),
        ("schema", or_empty(event_type.schema.as_deref().map(one_line))),
        ("created", or_empty(event_type.created_at.as_ref())),
    ])
}
