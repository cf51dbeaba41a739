//! JSON Schemas of custom event types, compiled once. References to other documents are not fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use parking_lot::RwLock;
use serde_json::Value;
use serde_json::value::RawValue;
use tidings_model::{EnvironmentId, EventKey, EventType};

type Compiled = (Arc<RawValue>, Arc<Validator>);

/// Largest compiled pattern: a short text such as `a{1000}{1000}` can ask for any amount of memory.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Steps that a pattern may go back while it is matched; one that needs more does not match.
const PATTERN_STEPS_MAX: usize = 100_000;

/// Subschemas that a payload may meet when every reference is followed: references to references double with every step.
const SUBSCHEMAS_MAX: usize = 10_000;
/// Keywords whose values are data, whatever they look like.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// The schemas that were needed so far.
#[derive(Default)]
pub(crate) struct Schemas(RwLock<BTreeMap<(EnvironmentId, EventKey), Compiled>>);

/// Compiles the text of a schema.
pub(crate) fn compile(text: &str) -> Result<Validator, String> {
    let schema: Value = serde_json::from_str(text).map_err(|error| match error.to_string() {
        text if text.starts_with("recursion limit exceeded") => "is nested too deeply".to_owned(),
        text => format!("is not JSON: {text}"),
    })?;
    let mut left = SUBSCHEMAS_MAX;
    follow(&schema, &schema, &mut Vec::new(), &mut left)?;
    let patterns = PatternOptions::fancy_regex()
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .backtrack_limit(PATTERN_STEPS_MAX);
    jsonschema::options()
        .with_pattern_options(patterns)
        .build(&schema)
        .map_err(|error| match error.to_string() {
            text if text.ends_with("is not a \"regex\"") => format!("is not a JSON Schema: {text}, or one that is too large"),
            text => format!("is not a JSON Schema: {text}"),
        })
}

/// Follows every reference, so that checking a payload costs no more than the schema lets see. `path` are the references on the way here.
fn follow<'a>(root: &'a Value, here: &'a Value, path: &mut Vec<&'a str>, left: &mut usize) -> Result<(), String> {
    *left = left
        .checked_sub(1)
        .ok_or_else(|| format!("is too much to check: with every reference followed it has more than {SUBSCHEMAS_MAX} parts"))?;
    match here {
        Value::Object(members) => {
            if ["$dynamicRef", "$recursiveRef"]
                .iter()
                .any(|name| members.get(*name).is_some_and(Value::is_string))
            {
                return Err("has a dynamic reference; use $ref with a place in this schema, such as #/$defs/name".to_owned());
            }
            if members.get("$id").is_some_and(Value::is_string) && !std::ptr::eq(root, here) {
                return Err("has an $id inside, which would give its references another meaning; leave it out".to_owned());
            }
            if let Some(Value::String(reference)) = members.get("$ref") {
                let target = reference.strip_prefix('#').and_then(|place| root.pointer(place));
                let target = target
                    .ok_or_else(|| format!("refers to {reference}; only places in this schema are followed, such as #/$defs/name"))?;
                if path.contains(&reference.as_str()) {
                    return Err(format!(
                        "refers to {reference} from within itself; references in a circle are not taken"
                    ));
                }
                path.push(reference);
                follow(root, target, path, left)?;
                path.pop();
            }
            let schemas = members.iter().filter(|(name, _)| !DATA.contains(&name.as_str()));
            for (_, member) in schemas {
                follow(root, member, path, left)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| follow(root, item, path, left)),
        _ => Ok(()),
    }
}

/// Says the first thing that a payload does not satisfy.
pub(crate) fn validate(schema: &Validator, payload: &[u8]) -> Result<(), String> {
    let payload: Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    schema.validate(&payload).map_err(|error| match error.instance_path().to_string() {
        path if path.is_empty() => error.to_string(),
        path => format!("at {path}: {error}"),
    })
}

impl Schemas {
    /// Checks a payload against the schema of its event type, if it has one.
    pub(crate) fn check(&self, environment: EnvironmentId, event_type: &EventType, payload: &[u8]) -> Result<(), String> {
        let Some(text) = &event_type.schema else {
            return Ok(());
        };
        let key = (environment, event_type.key.clone());
        let known = self
            .0
            .read()
            .get(&key)
            .filter(|(of, _)| Arc::ptr_eq(of, text))
            .map(|(_, schema)| Arc::clone(schema));
        let schema = match known {
            Some(schema) => schema,
            None => {
                let schema = Arc::new(compile(text.get())?);
                self.0.write().insert(key, (Arc::clone(text), Arc::clone(&schema)));
                schema
            }
        };
        validate(&schema, payload)
    }
}
