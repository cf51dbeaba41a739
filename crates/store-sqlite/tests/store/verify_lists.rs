//! Verifying what lists are read from, in a folder that has a block of them.

use tidings_model::EventId;
use tidings_store::{Finding, Start, Store};

use crate::story::{STOPPED, damaged, verify};
use crate::world::{START, World, grant};

#[tokio::test]
async fn lists_that_do_not_hold_what_they_should_are_found() {
    let (world, store) = World::new().await;
    let events = (0..4_200)
        .map(|number| world.event(number / 100, Start::Leased(grant(number, 0))))
        .collect();
    store.append(events).await.unwrap();
    store.close().await;
    let listed = |sql: &str| verify(damaged(&world, sql).path(), STOPPED, 1_000);
    assert_eq!(verify(world.path(), STOPPED, 1_000), []);

    let unlisted = listed("DELETE FROM parts WHERE kind = 1");
    let list = format!("webhook {}", world.webhook);
    let missing = |finding: &Finding| matches!(finding, Finding::ListDisagrees { list: told, listed: false, .. } if *told == list);
    assert!(unlisted.len() == 4_096 && unlisted.iter().all(missing), "{:?}", unlisted.first());

    let gone = EventId::new(START, 7);
    let too_many = listed(&format!(
        "DELETE FROM events WHERE id = {0}; DELETE FROM bodies WHERE event = {0}",
        gone.raw()
    ));
    let extra = |finding: &&Finding| matches!(finding, Finding::ListDisagrees { event, listed: true, .. } if *event == gone);
    assert_eq!((too_many.len(), too_many.iter().filter(extra).count()), (3, 3), "{too_many:?}");

    let outside = listed("UPDATE blocks SET first = first + 1; UPDATE parts SET block = block + 1");
    let first = EventId::new(START, 0);
    assert!(
        outside
            .iter()
            .any(|finding| matches!(finding, Finding::ListDisagrees { event, listed: false, .. } if *event == first)),
        "{:?}",
        outside.first()
    );
    for (sql, words) in [
        (
            "INSERT INTO blocks SELECT first + 1, last, settled_before FROM blocks",
            "begins before block",
        ),
        (
            "INSERT INTO parts VALUES (5, 0, 1, '', x'00')",
            "there are parts of block 5, which is not there",
        ),
        ("UPDATE parts SET events = x'ff' WHERE kind = 0", "its events cannot be read"),
    ] {
        let found = listed(sql);
        assert!(
            found.iter().any(|finding| finding.to_string().contains(words)),
            "{sql}: {:?}",
            found.first()
        );
    }
}
