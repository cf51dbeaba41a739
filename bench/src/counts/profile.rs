//! Where the instructions go: a profile of Callgrind's as a short list.

use std::collections::HashSet;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::road::Road;
use super::table::thousands;
use super::tool::Workshop;

/// Longest name that is shown.
const NAME_CHARS: usize = 150;

/// The functions that cost most, with everything that they call, in instructions an event.
pub(super) async fn top(road: &Road, workshop: &Workshop, functions: usize) -> anyhow::Result<String> {
    let profile = workshop.file("callgrind", road).with_added_extension("1");
    let mut command = Command::new("callgrind_annotate");
    command.args(["--inclusive=yes", "--threshold=100", "--auto=no"]).arg(&profile);
    let output = command
        .output()
        .await
        .context("cannot start callgrind_annotate: install the package valgrind")?;
    ensure!(output.status.success(), "callgrind_annotate could not read {}", profile.display());
    let text = String::from_utf8_lossy(&output.stdout);
    let total = super::callgrind::measured(&profile)?;
    let mut lines = vec![format!(
        "road '{}', {} instructions an event:",
        road.name,
        thousands(total / road.events() as f64)
    )];
    // What was running when the measurement began is shown with what it had cost before.
    let costs = text.lines().filter_map(cost).filter(|cost| cost.instructions <= total);
    // A function is there once for each file that code was inlined from; the first time is with all of it.
    let mut seen = HashSet::new();
    let costs = costs.filter(|cost| seen.insert(cost.function.clone()));
    lines.extend(costs.take(functions).map(|cost| {
        let per_event = thousands(cost.instructions / road.events() as f64);
        let function: String = cost.function.chars().take(NAME_CHARS).collect();
        format!("{per_event:>12}  {:>4.1} %  {function}", 100.0 * cost.instructions / total)
    }));
    Ok(lines.join("\n"))
}

/// A line of the list.
#[derive(Debug, PartialEq)]
struct Line {
    instructions: f64,
    function: String,
}

/// Reads a line such as `29,127,230 ( 5.22%)  writer.rs:Desk::commit [/program]`.
fn cost(line: &str) -> Option<Line> {
    let (instructions, rest) = line.trim_start().split_once(" (")?;
    let instructions: f64 = instructions.replace(',', "").parse().ok()?;
    let place = rest.split_once("%)")?.1.trim();
    let place = place.rsplit_once(" [").map_or(place, |(place, _)| place);
    let function = place.split_once(':').map_or(place, |(_, function)| function).to_owned();
    Some(Line { instructions, function })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_a_cost_and_a_place() {
        let line =
            " 28,940,978 ( 5.19%)  base/crates/store-sqlite/src/writer.rs:tidings_store_sqlite::writer::Desk::commit [/tmp/base-node]";
        let wanted = Line {
            instructions: 28_940_978.0,
            function: "tidings_store_sqlite::writer::Desk::commit".to_owned(),
        };
        assert_eq!(cost(line), Some(wanted));
        assert_eq!(cost("Ir                    file:function"), None);
    }
}
