//! The OpenAPI document: checked in, and true.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");

#[test]
fn the_document_that_is_checked_in_is_the_one_of_this_code() {
    let document = tidings_server::openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CHECKED_IN, &document).unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        checked_in == document,
        "docs/reference/openapi.json is out of date; run the tests of this crate with UPDATE=1 set"
    );
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let world = World::new().await;
    let answer = world.ask("GET", "/openapi.json").anonymous().send().await.expect(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.text, tidings_server::openapi());
}

/// Every operation of the document: method, path, and the operation itself.
pub(crate) fn operations() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::from_str(&tidings_server::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        })
        .collect()
}

#[test]
fn every_operation_has_a_summary_a_tag_a_success_and_the_common_refusal() {
    let operations = operations();
    assert_eq!(operations.len(), 36);
    for (method, path, operation) in operations {
        let name = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{name}");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        assert_eq!(
            responses["default"]["content"]["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem",
            "{name}"
        );
        for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(
                parameters.iter().any(|have| have["name"] == parameter && have["in"] == "path"),
                "{name}: {parameter}"
            );
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    let names: BTreeSet<_> = operations()
        .into_iter()
        .map(|(.., operation)| operation["operationId"].to_string())
        .collect();
    assert_eq!(names.len(), operations().len(), "{names:?}");
}

#[test]
fn what_is_sent_is_described_as_strictly_as_it_is_read() {
    let document: Value = serde_json::from_str(&tidings_server::openapi()).unwrap();
    for (method, path, operation) in operations() {
        let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") else {
            continue;
        };
        let reference = schema["$ref"].as_str().unwrap();
        let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{method} {path}");
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_str(&tidings_server::openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 40);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn query_parameters_are_in_the_document() {
    let operations = operations();
    let (_, _, list) = operations
        .iter()
        .find(|(method, path, _)| method == "GET" && path == "/v1/deliveries")
        .unwrap();
    let names: Vec<_> = list["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "webhookId",
            "status",
            "eventKey",
            "tenantId",
            "eventId",
            "from",
            "until",
            "limit",
            "cursor"
        ]
    );
}
