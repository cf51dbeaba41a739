//! What serde says, turned into what people read: the field by its path, and what it has to be.

use tidings_app::Problem;

/// Turns an error of serde at a path into a problem with a field. An empty path stands for the whole.
pub(crate) fn field_fault(path: &str, error: &str, whole: &str) -> Problem {
    let error = without_position(error);
    let path = if path == "." { "" } else { path };
    if let Some(field) = quoted(error, "missing field `") {
        return Problem::field(joined(path, field), "has to be given");
    }
    if let Some(field) = quoted(error, "duplicate field `") {
        return Problem::field(at(path, field), "is given twice");
    }
    if let Some(field) = quoted(error, "unknown field `") {
        let known = error.split_once(", expected ").map_or("", |(_, known)| known).replace('`', "'");
        let message = match known.strip_prefix("one of ").unwrap_or(&known) {
            "" | "there are no fields" => "is not known".to_owned(),
            known => format!("is not known; the known ones are {known}"),
        };
        return Problem::field(at(path, field), message);
    }
    let message = match error.split_once(", expected ") {
        Some((got, expected)) if got.starts_with("invalid ") => {
            let got = got.split_once(": ").map_or(got, |(_, got)| got);
            format!("has to be {}, not {}", plain(expected), found(got))
        }
        None if error == "provided string was not `true` or `false`" => "has to be true or false".to_owned(),
        _ => in_words(error).to_owned(),
    };
    if path.is_empty() {
        return Problem::new(tidings_app::Code::Invalid, format!("{whole}: {message}"));
    }
    Problem::field(path, message.replace('`', "'"))
}

/// serde_json adds the position, which means nothing where the field is named.
pub(crate) fn without_position(error: &str) -> &str {
    match error.rfind(" at line ") {
        Some(end) => &error[..end],
        None => error,
    }
}

/// The text between the prefix and the next backtick.
fn quoted<'a>(error: &'a str, prefix: &str) -> Option<&'a str> {
    error.strip_prefix(prefix)?.split('`').next()
}

fn joined(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// The path of a field that serde was reading the name of: some deserialisers have it in the path already.
fn at(path: &str, field: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or_default();
    if last == field { path.to_owned() } else { joined(path, field) }
}

/// What the libraries say of a text that cannot be read, in words for people.
pub(crate) fn in_words(error: &str) -> &str {
    match error {
        "invalid digit found in string" | "cannot parse integer from empty string" => "has to be a whole number that is not negative",
        "number too large to fit in target type" => "is too large a number",
        "EOF while parsing a value" | "EOF while parsing an object" | "EOF while parsing a list" | "EOF while parsing a string" => {
            "it ends too early"
        }
        "expected value" => "a value is expected here",
        "expected ident" => "only true, false and null are written without quotes",
        "expected `:`" => "':' is expected here",
        "expected `,` or `]`" => "',' or ']' is expected here",
        "expected `,` or `}`" => "',' or '}' is expected here",
        "key must be a string" => "the name of a member has to be in double quotes",
        "trailing comma" => "there is a comma after the last item",
        "trailing characters" => "something follows after its end",
        "invalid number" => "a number is not written as JSON has it",
        "number out of range" => "a number is out of range",
        "recursion limit exceeded" => "it is nested too deeply",
        "invalid escape" | "unexpected end of hex escape" => "an escape in a text is not one that JSON knows",
        "lone leading surrogate in hex escape" => "a text has half of a surrogate pair",
        "invalid unicode code point" => "a text is not Unicode",
        text if text.starts_with("control character") => "a text has a control character that is not escaped",
        text => text,
    }
}

/// What serde found instead, in words for people.
fn found(got: &str) -> String {
    match got {
        "sequence" => "an array".to_owned(),
        "map" => "an object".to_owned(),
        "unit value" | "null" => "null".to_owned(),
        text => text
            .replacen("floating point ", "number ", 1)
            .replacen("boolean `true`", "true", 1)
            .replacen("boolean `false`", "false", 1),
    }
}

/// What serde expects, in words for people.
fn plain(expected: &str) -> String {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "a borrowed string" | "a character" => "a string".to_owned(),
        text if text.starts_with("struct ") => "a JSON object".to_owned(),
        text => text.replace('`', "'"),
    }
}
