//! The reference of every setting, made from the table and held to the file that is checked in.

use std::fmt::Write;
use std::path::Path;

use super::setting::{Facts, Side};
use super::settings::TABLE;
use crate::checked_in;

const HEAD: &str = "\
# Configuration

<!-- Made from the table in crates/tidings/src/config/settings.rs: UPDATE=1 cargo test -p tidings reference -->

Every setting has a flag, a variable and a key in `tidings.toml`, in this order of precedence; then its default. `tidings config` prints what holds, and why.
The file is the one that `--config` or `TIDINGS_CONFIG` names, else `./tidings.toml` when it is there; a key in it that is not listed here is an error.
A setting of several values is a repeated flag, a variable with commas, or an array in the file. Secrets have no flag, because arguments are seen by everybody
on a machine. An empty variable counts as not set.
";

const TAIL: &str = "\
## Networks for single environments

Only in the file: networks that the webhooks of one environment may reach, beside those of `egress_allow`. The key is the environment's id.

```toml
[egress.environments]
\"6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11\" = [\"10.0.0.0/8\"]
```
";

fn markdown() -> String {
    let mut text = HEAD.to_owned();
    let sides = [
        (Side::Both, "For every command"),
        (Side::Serve, "The server"),
        (Side::Ask, "The commands that ask a server"),
    ];
    for (side, title) in sides {
        write!(text, "\n## {title}\n").expect("a string takes everything");
        let facts = TABLE.iter().map(|setting| setting.facts());
        for facts in facts.filter(|facts| facts.side == side) {
            text.push_str(&entry(facts));
        }
    }
    text + "\n" + TAIL
}

fn entry(facts: &Facts) -> String {
    let flag = facts
        .flag()
        .map_or("no flag".to_owned(), |flag| format!("`--{flag} {}`", facts.value));
    let several = if facts.many { " Takes several." } else { "" };
    format!(
        "\n### `{}`\n\n{}{several}\n\n{flag} · `{}` · default: {}\n",
        facts.key,
        facts.help,
        facts.variable(),
        facts.default_words()
    )
}

#[test]
fn the_reference_of_the_configuration_is_the_table() {
    checked_in::hold(Path::new("docs/reference/config.md"), &markdown());
}
