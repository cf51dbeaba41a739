//! Receivers to copy: one file a language, which verifies what the webhook sends.

use askama::Template;

/// How a receiver knows that a request is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// By the token in `x-webhook-secret`.
    Token,
    /// By `webhook-signature`, as Standard Webhooks has it.
    Standard,
    /// Not at all: the webhook has no secret.
    Unsigned,
}

/// What receivers are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Node,
    Python,
    Go,
    Rust,
    Php,
    Java,
}

macro_rules! receiver {
    ($name:ident, $path:literal) => {
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $name {
            scheme: Scheme,
        }
    };
}

receiver!(Node, "webhooks/receivers/node.mjs");
receiver!(Python, "webhooks/receivers/python.py");
receiver!(Go, "webhooks/receivers/go.go");
receiver!(Rust, "webhooks/receivers/rust.txt");
receiver!(Php, "webhooks/receivers/php.php");
receiver!(Java, "webhooks/receivers/java.java");

impl Language {
    pub(super) const ALL: [Self; 6] = [Self::Node, Self::Python, Self::Go, Self::Rust, Self::Php, Self::Java];

    /// As people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::Php => "PHP",
            Self::Java => "Java",
        }
    }

    /// As addresses call it.
    pub(super) const fn slug(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Php => "php",
            Self::Java => "java",
        }
    }

    /// What to call the file.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Node => "receiver.mjs",
            Self::Python => "receiver.py",
            Self::Go => "receiver.go",
            Self::Rust => "src/main.rs",
            Self::Php => "receiver.php",
            Self::Java => "Receiver.java",
        }
    }

    /// The one that an address calls so; Node when it calls none.
    pub(super) fn of(slug: &str) -> Self {
        Self::ALL.into_iter().find(|language| language.slug() == slug).unwrap_or(Self::Node)
    }

    /// The receiver.
    pub(super) fn receiver(self, scheme: Scheme) -> Result<String, askama::Error> {
        match self {
            Self::Node => Node { scheme }.render(),
            Self::Python => Python { scheme }.render(),
            Self::Go => Go { scheme }.render(),
            Self::Rust => Rust { scheme }.render(),
            Self::Php => Php { scheme }.render(),
            Self::Java => Java { scheme }.render(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_receiver_reads_its_secret_from_the_environment_and_verifies_by_its_scheme() {
        for language in Language::ALL {
            let by = |scheme| language.receiver(scheme).unwrap();
            let (token, standard, unsigned) = (by(Scheme::Token), by(Scheme::Standard), by(Scheme::Unsigned));
            let name = language.name();
            for signed in [&token, &standard] {
                assert!(signed.contains("WEBHOOK_SECRET") && signed.contains("verify("), "{name}");
            }
            let (token, standard) = (token.to_lowercase(), standard.to_lowercase());
            assert!(
                token.contains("x-webhook-secret") | token.contains("http_x_webhook_secret"),
                "{name}"
            );
            assert!(token.contains("bodysha256") && !token.contains("whsec_"), "{name}");
            assert!(standard.contains("whsec_") && !standard.contains("bodysha256"), "{name}");
            assert!(!unsigned.contains("WEBHOOK_SECRET") && !unsigned.contains("hmac"), "{name}");
            assert_eq!(Language::of(language.slug()), language);
        }
    }
}
