//! The reference model passes the suite that it is the reference of, and the suite is whole.

use std::path::Path;
use std::sync::Arc;

use tidings_model::{Environment, EnvironmentId, EventId, Settings, Timestamp};
use tidings_store::conformance::altered;
use tidings_store::{MemStore, Store};

async fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(MemStore::new()), ())
}

tidings_store::conformance_suite!(fresh);

/// Finds operations whose answers differ from run to run, and those that panic.
#[tokio::test]
async fn the_model_agrees_with_itself() {
    tidings_store::conformance::agrees_with_model(fresh, 64).await;
}

/// A model whose bodies can be altered, and how.
fn alterable() -> (Arc<dyn Store>, impl AsyncFnOnce(EventId)) {
    let store = Arc::new(MemStore::new());
    let altered = Arc::clone(&store);
    (store, async move |event| altered.alter_body(event))
}

#[tokio::test]
async fn an_altered_event_is_shown_as_such_among_the_others() {
    let (store, alter) = alterable();
    altered::an_altered_event_is_shown_as_such_among_the_others(&store, alter).await;
}

#[tokio::test]
async fn deliveries_of_an_altered_event_end_when_they_are_due() {
    let (store, alter) = alterable();
    altered::deliveries_of_an_altered_event_end_when_they_are_due(&store, alter).await;
}

#[tokio::test]
async fn an_altered_event_is_not_sent_again() {
    let (store, alter) = alterable();
    altered::an_altered_event_is_not_sent_again(&store, alter).await;
}

/// Whoever waits is told of a change that comes, and at once of one that has come since.
#[tokio::test]
async fn a_change_is_told_to_whoever_waits_for_one() {
    let store = MemStore::new();
    let environment = Environment {
        id: EnvironmentId::from_chance([1; 16]),
        name: "Production".to_owned(),
        settings: Settings::default(),
        created_at: Timestamp::from_millis(0),
    };
    let (heard, made) = tokio::join!(store.changed(0), store.create_environment(&environment));
    assert_eq!(made, Ok(Ok(())));
    assert_eq!(store.changed(0).await, heard);
}

#[test]
fn every_case_is_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let suite = read(&folder.join("suite.rs"));
    let listed: Vec<_> = suite.split_whitespace().collect();
    let mut cases = 0;
    for file in std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
    {
        for line in read(&file).lines() {
            let name = line
                .strip_prefix("pub async fn ")
                .and_then(|rest| rest.strip_suffix("(store: &Arc<dyn Store>) {"));
            if let Some(name) = name {
                assert!(listed.contains(&name), "{name} of {} is not in the list", file.display());
                cases += 1;
            }
        }
    }
    assert!(cases > 50, "only {cases} cases were found");
}
