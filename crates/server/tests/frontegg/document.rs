//! The OpenAPI document of the dialect: checked in, and whole. That it names every route is held where the whole router is (`crates/tidings/src/access`);
//! that answers are as it says, by `tests/openapi`.

use std::collections::BTreeSet;

use serde_json::Value;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi-frontegg.json");

#[test]
fn the_document_that_is_checked_in_is_the_one_of_this_code() {
    let document = tidings_server::dialect_openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CHECKED_IN, &document).unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        checked_in == document,
        "docs/reference/openapi-frontegg.json is out of date; run the tests of this crate with UPDATE=1 set"
    );
}

#[test]
fn every_operation_has_a_name_a_summary_a_success_and_the_common_refusal() {
    let document: Value = serde_json::from_str(&tidings_server::dialect_openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<_> = paths.values().flat_map(|item| item.as_object().unwrap().values()).collect();
    let names: BTreeSet<_> = operations.iter().map(|operation| operation["operationId"].to_string()).collect();
    assert_eq!((names.len(), operations.len()), (18, 18), "{names:?}");
    for operation in operations {
        let name = &operation["operationId"];
        assert!(operation["summary"].is_string(), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        let refusal = &responses["default"]["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(refusal, "#/components/schemas/Refusal", "{name}");
    }
}
