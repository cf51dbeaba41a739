//! `tidings test`.

use clap::Args;
use tidings_client::{Answer, Reply, TestReport, TestRequest, Timings};

use super::arguments::{HeaderArg, TextArg, headers};
use crate::config::{Ask, Flags};
use crate::failure::{CommandError, Outcome};
use crate::output::{milliseconds, one_line, or_empty, record, wire};
use crate::session::Session;

/// Try a URL: send an event to it, signed like a delivery, and show what comes back.
///
/// It goes the way of a delivery, past the same address policy. Nothing is saved. Exit status 0 when the URL answers 200, 1 when it does not.
#[derive(Args)]
#[command(override_usage = "tidings test [OPTIONS] <URL>")]
#[command(after_help = "\
Examples:
  tidings test https://example.com/hooks --secret correct-horse-battery
  tidings test http://127.0.0.1:9000/ --event frontegg.user.created
  tidings test https://example.com/hooks --event order.placed \\
    --payload @order.json --header 'Authorization: Bearer abc'")]
pub(crate) struct Test {
    #[command(flatten)]
    target: Target,
    /// The secret to sign with: text, @FILE or - for standard input.
    #[arg(long, value_name = "SECRET|@FILE|-")]
    secret: Option<TextArg>,
    /// The event to send.
    #[arg(long = "event", visible_alias = "event-key", value_name = "KEY")]
    event_key: Option<String>,
    /// Its payload: JSON, @FILE or - for standard input. The catalogue's example otherwise.
    #[arg(long, value_name = "JSON|@FILE|-")]
    payload: Option<TextArg>,
    /// A header to send with it. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<HeaderArg>,
    #[command(flatten)]
    server: Flags<Ask>,
}

/// The URL; also behind `--url`, where `tidings webhooks create` has it.
#[derive(Args)]
struct Target {
    /// Where to.
    #[arg(required_unless_present = "flag", conflicts_with = "flag")]
    url: Option<String>,
    #[arg(long = "url", value_name = "URL", hide = true)]
    flag: Option<String>,
}

impl Target {
    fn url(self) -> String {
        self.url.or(self.flag).expect("one of the two is required")
    }
}

pub(crate) async fn run(args: Test) -> Outcome {
    let session = Session::open(&args.server)?;
    let test = TestRequest {
        url: args.target.url(),
        secret: args.secret.map(TextArg::secret).transpose()?,
        headers: headers(args.headers),
        event_key: args.event_key,
        payload: args.payload.map(|payload| payload.json("--payload")).transpose()?,
    };
    let client = session.in_environment().await?;
    let answer = session.ask(client.test_url(&test)).await?;
    report(&session, &answer)
}

/// Shows how a test went; one that did not pass is a no.
pub(super) fn report(session: &Session, answer: &Answer<TestReport>) -> Outcome {
    session.show(answer, words)?;
    if answer.passed { Ok(()) } else { Err(CommandError::No) }
}

fn words(report: &TestReport) -> String {
    let verdict = if report.passed { "passed" } else { "not passed" };
    let exchange = &report.exchange;
    let mut text = record([
        (verdict, report.summary.clone()),
        ("status", or_empty(exchange.status_code)),
        ("failure", or_empty(exchange.failure.as_ref().map(|failure| &failure.message))),
        ("address", or_empty(exchange.address.as_ref())),
        ("took", took(&exchange.timings)),
    ]);
    if let Some(request) = &report.request {
        text += &wire('>', request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        text += &wire('>', [one_line(&request.body)]);
    }
    text + &exchange.reply.as_ref().map(reply_words).unwrap_or_default()
}

fn took(timings: &Timings) -> String {
    let parts = [
        ("dns", timings.dns_us),
        ("connect", timings.connect_us),
        ("tls", timings.tls_us),
        ("first byte", timings.first_byte_us),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter_map(|(name, us)| us.map(|us| format!("{name} {}", milliseconds(us))))
        .collect();
    let total = milliseconds(timings.total_us);
    if parts.is_empty() {
        total
    } else {
        format!("{total} ({})", parts.join(", "))
    }
}

/// What came back, line by line, as it would be read on the wire.
pub(super) fn reply_words(reply: &Reply) -> String {
    let status = format!("HTTP {}", reply.status_code);
    let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let body = reply.body.lines().map(str::to_owned);
    let more = reply.truncated.then(|| "(there was more; only the beginning is kept)".to_owned());
    wire('<', std::iter::once(status).chain(headers).chain(body).chain(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_shown_line_by_line_and_cannot_steer_the_terminal() {
        let reply = Reply {
            status_code: 500,
            headers: vec![("x-a".to_owned(), "b".to_owned())],
            body: "one\ntwo\u{1b}[2J".to_owned(),
            truncated: true,
        };
        assert_eq!(
            reply_words(&reply),
            "  < HTTP 500\n  < x-a: b\n  < one\n  < two\\u{1b}[2J\n  < (there was more; only the beginning is kept)\n"
        );
    }

    #[test]
    fn a_test_shows_where_its_time_went() {
        let timings = Timings {
            connect_us: Some(1_500),
            total_us: 20_000,
            ..Timings::default()
        };
        assert_eq!(took(&timings), "20.0 ms (connect 1.5 ms)");
        assert_eq!(took(&Timings::default()), "0.0 ms");
    }
}
