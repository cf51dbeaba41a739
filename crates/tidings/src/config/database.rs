//! The database that keeps everything, when it is not in the data folder: three settings that belong together.

use tidings_store_postgres::{PostgresConfig, without_password};

use super::setting::AnySetting;
use super::{ConfigError, Facts, Layers, Source, settings};

/// The database that was named, or none.
pub(crate) fn database(layers: &Layers) -> Result<Option<PostgresConfig>, ConfigError> {
    let password_file = layers.optional(&settings::DATABASE_PASSWORD_FILE)?;
    let connections = layers.value(&settings::DATABASE_CONNECTIONS)?;
    let facts = settings::DATABASE.facts();
    let Some(url) = layers.optional(&settings::DATABASE)? else {
        let alone = settings::DATABASE_PASSWORD_FILE.facts();
        return match password_file {
            Some(_) => Err(ConfigError::of(
                alone,
                &layers.find(alone).source,
                "there is a password, but no database: set database too".to_owned(),
            )),
            None => Ok(None),
        };
    };
    let source = layers.find(facts).source;
    if source == Source::Flag && without_password(&url) != url {
        let why = "anybody on this machine can see the password in it: set TIDINGS_DATABASE instead, or name a file that holds the password with \
                   --database-password-file";
        return Err(ConfigError::of(facts, &source, why.to_owned()));
    }
    Ok(Some(PostgresConfig {
        password_file,
        connections,
        ..PostgresConfig::new(url)
    }))
}

/// A value of a setting as people may see it.
pub(crate) fn shown(facts: &Facts, text: &str) -> String {
    if facts.key == settings::DATABASE.facts.key {
        without_password(text)
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const WITH_PASSWORD: &str = "postgres://tidings:hunter2@db/tidings";

    fn of(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<PostgresConfig>, String> {
        let flags = flag
            .into_iter()
            .map(|url| ("database", vec![url.to_owned()]))
            .collect::<BTreeMap<_, _>>();
        let lookup = |name: &str| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into());
        let layers = Layers::gather(flags, None, lookup).map_err(|error| error.to_string())?;
        database(&layers).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_but_the_url_has_to_be_set() {
        assert!(of(None, &[]).unwrap().is_none());
        let database = of(Some("postgres://tidings@db/tidings"), &[]).unwrap().unwrap();
        assert_eq!((database.connections, database.password_file), (16, None));
    }

    #[test]
    fn a_password_is_refused_where_everybody_sees_it_and_never_repeated() {
        assert!(of(None, &[("TIDINGS_DATABASE", WITH_PASSWORD)]).unwrap().is_some());
        let refused = of(Some(WITH_PASSWORD), &[]).unwrap_err();
        assert!(
            refused.contains("--database-password-file") && !refused.contains("hunter2"),
            "{refused}"
        );
        let unreadable = of(None, &[("TIDINGS_DATABASE", "mysql://tidings:hunter2@db/tidings")]).unwrap_err();
        assert!(
            unreadable.contains("postgres://") && !unreadable.contains("hunter2"),
            "{unreadable}"
        );
        assert_eq!(
            shown(settings::DATABASE.facts(), WITH_PASSWORD),
            "postgres://tidings:***@db/tidings"
        );
    }

    #[test]
    fn a_password_file_without_a_database_is_a_slip() {
        let refused = of(None, &[("TIDINGS_DATABASE_PASSWORD_FILE", "/run/secrets/password")]).unwrap_err();
        assert!(refused.contains("no database"), "{refused}");
    }
}
