//! The database that nodes share.

use tidings_signing::KeyId;
use tidings_store::{MasterKeyState, Store, StoreError};
use tidings_store_postgres::{OpenError, PostgresConfig, PostgresStore, Schema, without_password};

use super::Finding;
use crate::stores::options_of_commands;

/// Whether the database can be used; and the master keys that something in it is sealed with, the one that seals first.
pub(super) async fn look(config: &PostgresConfig) -> (Vec<KeyId>, Finding) {
    const CHECK: &str = "store";
    match ask(config).await {
        Err(error) => (Vec::new(), Finding::fail(CHECK, error.to_string())),
        Ok((needed, nodes, schema)) => {
            let shown = without_password(&config.url);
            let finding = match &schema {
                Schema { found: 0, .. } => Finding::ok(CHECK, format!("{shown} answers; the first start makes its tables")),
                Schema { in_the_way, .. } if let Some(node) = in_the_way.first() => Finding::warn(
                    CHECK,
                    format!(
                        "{shown} has schema {}, and the node {} ({}) cannot go on with that of this version: `tidings migrate --check` says more",
                        schema.found, node.name, node.version
                    ),
                ),
                Schema { found, known, .. } if found < known => Finding::ok(
                    CHECK,
                    format!("{shown} answers; the next start brings schema {found} to {known}; {nodes} nodes on its roll"),
                ),
                Schema { found, .. } => Finding::ok(
                    CHECK,
                    format!("{shown} answers; schema {found}; {nodes} nodes on its roll; `tidings verify` looks at what is in it"),
                ),
            };
            (needed, finding)
        }
    }
}

async fn ask(config: &PostgresConfig) -> Result<(Vec<KeyId>, usize, Schema), OpenError> {
    let (store, schema) = PostgresStore::open_as_it_is(config, options_of_commands()).await?;
    let away = |error: StoreError| OpenError::Away { why: error.to_string() };
    let (mut needed, mut nodes) = (Vec::new(), 0);
    if schema.missing.is_empty() {
        let keys = store.master_keys().await.map_err(away)?;
        let used = keys.iter().filter(|key| key.state != MasterKeyState::Retired);
        needed = used.map(|key| KeyId::from_bytes(key.id)).collect();
        nodes = store.nodes().await.map_err(away)?.len();
    }
    store.close().await;
    Ok((needed, nodes, schema))
}
