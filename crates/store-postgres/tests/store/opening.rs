//! Opening a store: its schema, who is refused, and whom it believes to be the database.

use tidings_store::Store;
use tidings_store_postgres::{OpenError, PostgresStore};
use tidings_testkit::{EphemeralPostgres, TestDatabase};

use crate::world::{config, furnish, open, options};

async fn refused(url: &str) -> OpenError {
    PostgresStore::open(&config(url), options()).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_open_a_new_database_at_once_make_one_schema() {
    let database = TestDatabase::new().await;
    let nodes = tokio::join!(open(&database), open(&database), open(&database));
    let (environment, _) = furnish(&nodes.0).await;
    assert_eq!(nodes.2.environments().await.unwrap()[0].id, environment);
    open(&database).await;
}

#[tokio::test]
async fn a_newer_schema_is_worked_with_when_it_says_so() {
    let database = TestDatabase::new().await;
    drop(open(&database).await);
    let admin = database.connect().await;
    let step = |version: i32, works_from: i32| {
        let sql = format!("INSERT INTO migrations SELECT {version}, 'later', {works_from}, checksum, 0 FROM migrations WHERE version = 1");
        let admin = &admin;
        async move { admin.batch_execute(&sql).await.unwrap() }
    };
    step(3, 1).await;
    drop(open(&database).await);
    step(4, 3).await;
    let error = refused(&database.url()).await;
    assert!(matches!(error, OpenError::Newer { found: 4, known: 2 }), "{error}");
}

#[tokio::test]
async fn a_schema_of_another_build_is_refused() {
    let database = TestDatabase::new().await;
    drop(open(&database).await);
    let admin = database.connect().await;
    admin
        .batch_execute("UPDATE migrations SET checksum = sha256('other')")
        .await
        .unwrap();
    let error = refused(&database.url()).await;
    assert!(matches!(error, OpenError::Changed { version: 1 }), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_with_advice() {
    let database = TestDatabase::new().await;
    let error = refused(&database.url().replace(database.name(), "nowhere")).await;
    let said = error.to_string();
    assert!(
        matches!(error, OpenError::Unfit { .. }) && said.contains("nowhere") && said.contains("the name of the database"),
        "{said}"
    );
}

#[tokio::test]
async fn who_the_database_is_is_looked_at_when_that_is_asked_for() {
    let (server, authority) = EphemeralPostgres::with_tls();
    let name = server.database().await;
    let url = |parameters: &str| format!("{}?{parameters}", server.url_of(&name));
    let encrypted = async || {
        let client = server.connect(&name).await;
        let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tidings' AND ssl";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
    };
    let trusted = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    for (parameters, is_encrypted) in [("sslmode=disable", false), ("sslmode=require", true), ("", true), (&*trusted, true)] {
        let store = PostgresStore::open(&config(&url(parameters)), options()).await.unwrap();
        store.environments().await.unwrap();
        assert_eq!(encrypted().await, is_encrypted, "{parameters}");
        store.close().await;
        drop(store);
        let gone = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tidings'";
        let client = server.connect(&name).await;
        while !client.query(gone, &[]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let strangers = [url("sslmode=verify-full"), url(&trusted).replace("localhost", "127.0.0.1")];
    for stranger in strangers {
        let error = refused(&stranger).await;
        assert!(
            matches!(&error, OpenError::Unfit { why } if why.contains("certificate") && why.contains("sslrootcert")),
            "{error}"
        );
    }
    let said = refused(&url("sslmode=verify-full&sslrootcert=/nowhere/ca.pem")).await.to_string();
    assert!(said.contains("/nowhere/ca.pem"), "{said}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let server = EphemeralPostgres::start(&[]);
    let client = server.connect(&server.database().await).await;
    client
        .batch_execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        .await
        .unwrap();
    let error = refused(&server.url_of("latin")).await;
    assert!(matches!(&error, OpenError::Unfit { why } if why.contains("LATIN1")), "{error}");
}
