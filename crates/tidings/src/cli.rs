//! The tree of commands. What a command takes stands beside what it does, in its file under `commands`.

use clap::{Parser, Subcommand};

use crate::commands::backup::Backup;
use crate::commands::config::ConfigCommand;
use crate::commands::credentials::Credentials;
use crate::commands::deliveries::Deliveries;
use crate::commands::doctor::Doctor;
use crate::commands::environments::Environments;
use crate::commands::event_types::EventTypes;
use crate::commands::events::Events;
use crate::commands::keys::Keys;
use crate::commands::migrate::Migrate;
use crate::commands::migrate_store::MigrateStore;
use crate::commands::nodes::Nodes;
use crate::commands::openapi::Openapi;
use crate::commands::people::People;
use crate::commands::restore::Restore;
use crate::commands::test::Test;
use crate::commands::verify::Verify;
use crate::commands::webhooks::Webhooks;
use crate::config::{Flags, Serve};
use crate::demo::Demo;
use crate::failure::STATUSES;
use crate::receive::Receive;

/// Self-hosted webhooks in one binary.
///
/// `tidings serve` runs a server. The other commands ask one: a server on this machine is found through its data folder, any other through
/// TIDINGS_URL, TIDINGS_CLIENT_ID and TIDINGS_CLIENT_SECRET. Data goes to standard output, talk to standard error.
#[derive(Parser)]
#[command(name = "tidings", version, propagate_version = false, max_term_width = 110, after_help = format!("{FIRST_STEPS}\n\n{STATUSES}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  tidings demo                              # see it work
  tidings serve --egress-allow 127.0.0.0/8  # run a server, in one terminal
  tidings receive --secret correct-horse    # receive, in a second; in a third:
  tidings environments set Development --http-allowed true
  tidings webhooks create --url http://127.0.0.1:9000/ \\
    --event-key 'User Management.*' --secret correct-horse
  tidings events send frontegg.user.created --example
  tidings deliveries list";

/// What can be asked.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a server.
    ///
    /// The first start of a data folder makes the environment Development and a credential, and prints its secret once. While nobody can sign in to the
    /// portal, each start prints a link with which the first owner is set up. SIGTERM finishes what is under
    /// way; a second one stops at once, and loses nothing. `tidings --help` says what the exit status means.
    #[command(after_help = "\
Examples:
  tidings serve
  tidings serve --data /var/lib/tidings --listen 0.0.0.0:8080
  tidings serve --egress-allow 10.0.0.0/8 --egress-allow 127.0.0.1/32
  tidings serve --database postgres://tidings@db.example/tidings \\
    --database-password-file /run/secrets/tidings-database")]
    Serve(Box<Flags<Serve>>),
    Demo(Demo),
    Receive(Receive),
    Environments(Environments),
    Credentials(Credentials),
    Keys(Keys),
    #[command(after_help = "Example:\n  tidings nodes")]
    Nodes(Nodes),
    People(People),
    Webhooks(Webhooks),
    Events(Events),
    EventTypes(EventTypes),
    Deliveries(Deliveries),
    Test(Test),
    Backup(Backup),
    Restore(Restore),
    Migrate(Migrate),
    MigrateStore(MigrateStore),
    Verify(Verify),
    Doctor(Doctor),
    Config(ConfigCommand),
    Openapi(Openapi),
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use clap::{CommandFactory, Parser};

    use super::Cli;
    use crate::checked_in;
    use crate::config::ASK_HEADING;

    const HEAD: &str = "\
# Command line

<!-- Made from the commands themselves: UPDATE=1 cargo test -p tidings command_line -->

Commands that ask a server also take the flags under \"Which server, and as whom\" (see `tidings webhooks --help`), which are left out below where they repeat.
";

    /// The help of a command and of all below it.
    fn help(command: &clap::Command, path: &str, text: &mut String) {
        let repeats = path != "tidings webhooks";
        let shown = command.clone().term_width(100).mut_args(|arg| {
            if repeats && arg.get_help_heading() == Some(ASK_HEADING) {
                arg.hide(true)
            } else {
                arg
            }
        });
        let mut shown = shown.bin_name(path);
        let page = shown.render_long_help().to_string();
        let page: Vec<_> = page.lines().map(str::trim_end).collect();
        write!(text, "\n## {path}\n\n```text\n{}\n```\n", page.join("\n").trim_end()).expect("a string takes everything");
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            help(below, &format!("{path} {}", below.get_name()), text);
        }
    }

    #[test]
    fn the_reference_of_the_command_line_is_its_help() {
        let mut text = HEAD.to_owned();
        let mut command = Cli::command();
        command.build();
        help(&command, "tidings", &mut text);
        checked_in::hold(Path::new("docs/reference/cli.md"), &text);
    }

    #[test]
    fn the_help_of_every_command_says_more_than_its_line_in_the_list() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_long_about().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn the_tree_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_examples_in_the_help_are_commands() {
        let mut commands = vec![Cli::command()];
        let mut examples = 0;
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in after.lines() {
                assert!(
                    line.len() < 80,
                    "a terminal would break this line, and what is pasted from it: {line}"
                );
            }
            for line in after
                .replace("\\\n", "")
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("tidings "))
            {
                let line = line.split_once(" #").map_or(line, |(line, _)| line);
                if let Err(error) = Cli::try_parse_from(words(&format!("tidings {line}"))) {
                    panic!("tidings {line}\n{error}");
                }
                examples += 1;
            }
        }
        assert!(examples > 30, "only {examples} examples were found");
    }

    /// A line as a shell splits it, with single quotes only; what follows a pipe or a redirection is the shell's.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '|' | '>' | '<' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                other => words.last_mut().expect("there is a first word").push(other),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }
}
