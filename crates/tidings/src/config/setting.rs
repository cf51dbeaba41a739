//! One setting: its names, its help, its default, and how its text becomes a value.

/// A setting whose text means a `T`; a setting of many gives several.
pub(crate) struct Setting<T> {
    /// What is known of it without its type.
    pub(crate) facts: Facts,
    /// Reads one text. The reason of a refusal is shown to people; for a secret it does not repeat the text.
    pub(crate) parse: fn(&str) -> Result<T, String>,
}

/// What is known of a setting without its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The key in `tidings.toml`; the flag and the variable follow from it.
    pub(crate) key: &'static str,
    /// The flag, where the one that follows from the key is a command's own.
    pub(crate) flag_instead: Option<&'static str>,
    /// What stands for a value in help: `ADDRESS`.
    pub(crate) value: &'static str,
    /// What it is, in sentences.
    pub(crate) help: &'static str,
    /// What holds when nobody sets it.
    pub(crate) fallback: Fallback,
    /// Whether it takes several values: a repeated flag, commas in a variable, an array in the file.
    pub(crate) many: bool,
    /// A secret has no flag, because anybody on the machine can list arguments, and is never shown.
    pub(crate) secret: bool,
    /// Who reads it.
    pub(crate) side: Side,
}

/// What holds when nobody sets a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// This text.
    Text(&'static str),
    /// Nothing; these words say what that means.
    Nothing(&'static str),
}

/// Who reads a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Every command.
    Both,
    /// The server.
    Serve,
    /// The commands that ask a server.
    Ask,
}

impl Facts {
    /// `--shutdown-grace-seconds`, without the dashes; `None` for a secret.
    pub(crate) fn flag(&self) -> Option<String> {
        (!self.secret).then(|| self.flag_instead.map_or_else(|| self.key.replace('_', "-"), str::to_owned))
    }

    /// `TIDINGS_SHUTDOWN_GRACE_SECONDS`.
    pub(crate) fn variable(&self) -> String {
        format!("TIDINGS_{}", self.key.to_ascii_uppercase())
    }

    /// The default, for people.
    pub(crate) const fn default_words(&self) -> &'static str {
        match self.fallback {
            Fallback::Text(words) | Fallback::Nothing(words) => words,
        }
    }
}

/// A setting of any type, for what treats all of them alike.
pub(crate) trait AnySetting: Sync {
    /// What is known of it.
    fn facts(&self) -> &Facts;
    /// Whether a text is one of its values.
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T> AnySetting for Setting<T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}
