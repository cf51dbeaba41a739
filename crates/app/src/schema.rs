//! JSON Schemas of custom event types, compiled once. References to other documents are not fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use parking_lot::RwLock;
use serde_json::value::RawValue;
use tidings_model::{EnvironmentId, EventKey, EventType};

type Compiled = (Arc<RawValue>, Arc<Validator>);

/// The schemas that were needed so far.
#[derive(Default)]
pub(crate) struct Schemas(RwLock<BTreeMap<(EnvironmentId, EventKey), Compiled>>);

/// Compiles the text of a schema.
pub(crate) fn compile(text: &str) -> Result<Validator, String> {
    let schema: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    jsonschema::validator_for(&schema).map_err(|error| format!("is not a JSON Schema: {error}"))
}

/// Says the first thing that a payload does not satisfy.
pub(crate) fn validate(schema: &Validator, payload: &[u8]) -> Result<(), String> {
    let payload: serde_json::Value = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
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
