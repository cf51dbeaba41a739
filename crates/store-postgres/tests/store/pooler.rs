//! A pooler between nodes and their server.

use tidings_model::Verdict;
use tidings_store::{Settled, Store};
use tidings_store_postgres::{OpenError, PostgresStore};
use tidings_testkit::{EphemeralPostgres, Pooler};
use tokio_postgres::SimpleQueryMessage;

use crate::world::{append, at, config, event, furnish, grant, open_with, options, settlement};

/// What a node says of a pooler with those settings.
async fn refused(server: &EphemeralPostgres, settings: &[(&str, &str)]) -> String {
    let pooler = Pooler::start(server, settings);
    let url = pooler.url_of(&server.database().await);
    let error = PostgresStore::open(&config(&url), options()).await.unwrap_err();
    assert!(matches!(error, OpenError::Unfit { .. }), "{settings:?}: {error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_shares_processes_between_transactions_is_refused_with_advice() {
    let server = EphemeralPostgres::start(&[]);
    for mode in ["transaction", "statement"] {
        for settings in [
            &[][..],
            &[("server_round_robin", "1")],
            &[("server_reset_query_always", "1")],
            &[("default_pool_size", "1")],
            &[("min_pool_size", "5"), ("server_round_robin", "1")],
        ] {
            let settings = [&[("pool_mode", mode)], settings].concat();
            let said = refused(&server, &settings).await;
            assert!(said.contains("pool_mode=session") && said.contains("the server itself"), "{said}");
        }
    }
}

/// Whatever is told of a connection holds there, though the pooler takes no options and drops them where it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_gives_each_connection_a_process_of_its_own_is_served_by() {
    let server = EphemeralPostgres::start(&[]);
    for options_are in ["", "options"] {
        let pooler = Pooler::start(&server, &[("pool_mode", "session"), ("ignore_startup_parameters", options_are)]);
        let database = server.database().await;
        let url = pooler.url_of(&database);
        let (store, other) = (open_with(&url, options()).await, open_with(&url, options()).await);
        let admin = server.connect(&database).await;
        for table in ["environments", "events"] {
            let sql = format!(
                "CREATE TABLE seen_by_{table} (isolation text, synchronous text, jit text, statement text, plans text);
                 CREATE FUNCTION see_by_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     INSERT INTO seen_by_{table} SELECT current_setting('default_transaction_isolation'), current_setting('synchronous_commit'),
                         current_setting('jit'), current_setting('statement_timeout'), current_setting('plan_cache_mode');
                     RETURN NULL; END $$;
                 CREATE TRIGGER see AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION see_by_{table}()"
            );
            admin.batch_execute(&sql).await.unwrap();
        }
        let seen = async |table: &str| {
            let rows = admin.simple_query(&format!("SELECT * FROM seen_by_{table}")).await.unwrap();
            let row = rows.into_iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            let row = row.unwrap();
            (0..5).map(|column| row.get(column).unwrap().to_owned()).collect::<Vec<_>>()
        };

        let heard = store.changed(0).await.unwrap(); // it listens from now on
        let (environment, webhook) = furnish(&other).await;
        store.changed(heard).await.unwrap();
        let id = append(&store, event(&store, environment, &[webhook]).await).await;
        let due = other.lease_due(webhook, at(2), 9, grant(at(2))).await.unwrap().deliveries;
        assert_eq!(due[0].id.event, id);
        let settled = store
            .settle([settlement(due[0].id, webhook, due[0].lease.token, Verdict::Delivered)].into())
            .await
            .unwrap();
        assert!(matches!(settled[0], Settled::Recorded { .. }));

        assert_eq!(seen("environments").await, ["read committed", "on", "off", "20s", "auto"]);
        assert_eq!(seen("events").await, ["read committed", "on", "off", "20s", "force_generic_plan"]);
        store.close().await;
        other.close().await;
    }
}

/// The options of the URL are the words of whoever runs the node, and have the last one.
#[tokio::test]
async fn what_a_url_says_of_its_connections_holds() {
    let server = EphemeralPostgres::start(&[]);
    let database = server.database().await;
    let url = format!("{}?options=-c%20statement_timeout%3D7s", server.url_of(&database));
    let store = open_with(&url, options()).await;
    let admin = server.connect(&database).await;
    let sql = "CREATE TABLE seen (statement text, locks text);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen SELECT current_setting('statement_timeout'), current_setting('lock_timeout'); RETURN NULL; END $$;
        CREATE TRIGGER see AFTER INSERT ON environments FOR EACH STATEMENT EXECUTE FUNCTION see()";
    admin.batch_execute(sql).await.unwrap();
    furnish(&store).await;
    let row = admin.query_one("SELECT * FROM seen", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("7s", "10s"));
}
