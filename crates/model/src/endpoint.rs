//! The URL of a webhook. Parsed once, by one parser; what it means on the network is `egress`'s business.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use url::{Host, Url};

use crate::limits::{HOST_CHARS_MAX, HOST_LABEL_CHARS_MAX, URL_CHARS_MAX};

/// An absolute http or https URL with a host, without user info, without a fragment. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Arc<Url>);

/// A text cannot be a webhook's URL; the message names the rule.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UrlError {
    /// Not an absolute URL at all.
    #[error("not a valid absolute URL ({0}); write it as https://host/path")]
    Invalid(String),
    /// Longer than [`URL_CHARS_MAX`].
    #[error("longer than {URL_CHARS_MAX} characters")]
    TooLong,
    /// Another scheme than http and https.
    #[error("the scheme '{0}' is not allowed; use https")]
    Scheme(String),
    /// http where the environment asks for https.
    #[error("plain http is not allowed in this environment; use https, or allow http in the environment's settings")]
    PlainHttp,
    /// `user:password@`.
    #[error("a URL with a user name or password is not allowed; send credentials in a custom header instead")]
    UserInfo,
    /// `#…`, which would never be sent.
    #[error("a URL with a fragment ('#…') is not allowed; it would never be sent")]
    Fragment,
    /// Port 0, on which nothing listens.
    #[error("port 0 is not a port that anything listens on; leave it away or use one between 1 and 65535")]
    Port,
    /// A host that no name server could know.
    #[error("the host is not a name that can exist: {0}")]
    Host(HostError),
    /// White space or control characters, which parsers silently drop.
    #[error("white space and control characters are not allowed in a URL")]
    Characters,
}

/// What is wrong with a host's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HostError {
    /// Longer than [`HOST_CHARS_MAX`].
    #[error("it has more than {HOST_CHARS_MAX} characters")]
    TooLong,
    /// Two dots in a row, or one at the beginning.
    #[error("there is nothing between two of its dots, or before the first")]
    EmptyLabel,
    /// A part between dots is longer than [`HOST_LABEL_CHARS_MAX`].
    #[error("one of its parts between dots has more than {HOST_LABEL_CHARS_MAX} characters")]
    LongLabel,
    /// A part between dots begins or ends with a hyphen.
    #[error("its part '{0}' begins or ends with a hyphen")]
    Hyphen(String),
    /// Other characters than letters, digits, hyphens and underscores.
    #[error("its part '{0}' has other characters than letters, digits, '-' and '_'")]
    Characters(String),
}

impl EndpointUrl {
    /// Parses and checks the text of a URL.
    pub fn parse(text: &str, http_allowed: bool) -> Result<Self, UrlError> {
        if text.len() > URL_CHARS_MAX {
            return Err(UrlError::TooLong);
        }
        if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(UrlError::Characters);
        }
        let url = Url::parse(text).map_err(|error| UrlError::Invalid(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if http_allowed => {}
            "http" => return Err(UrlError::PlainHttp),
            other => return Err(UrlError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        match url.host() {
            None => return Err(UrlError::Invalid("it has no host".to_owned())),
            Some(Host::Domain(name)) => check_host(name).map_err(UrlError::Host)?,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => {}
        }
        if url.port() == Some(0) {
            return Err(UrlError::Port);
        }
        Ok(Self(Arc::new(url)))
    }

    /// The URL in its normal form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host: a name, or an address in any of the spellings that URLs know.
    pub fn host(&self) -> Host<&str> {
        self.0.host().expect("parse() refuses a URL without a host")
    }

    /// The port, given or implied by the scheme.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().expect("http and https have a default port")
    }
}

/// Checks a name as the parser leaves it: in ASCII, with other scripts as Punycode. Underscores are no host names by the book, but many use them.
fn check_host(name: &str) -> Result<(), HostError> {
    let name = name.strip_suffix('.').unwrap_or(name); // the root, which may be written
    if name.len() > HOST_CHARS_MAX {
        return Err(HostError::TooLong);
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(HostError::EmptyLabel);
        }
        if label.len() > HOST_LABEL_CHARS_MAX {
            return Err(HostError::LongLabel);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HostError::Hyphen(label.to_owned()));
        }
        if !label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        {
            return Err(HostError::Characters(label.to_owned()));
        }
    }
    Ok(())
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Serialize for EndpointUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_in_its_own_words() {
        let cases = [
            ("https://user@host.test/", UrlError::UserInfo),
            ("https://user:pw@host.test/", UrlError::UserInfo),
            ("https://host.test/#part", UrlError::Fragment),
            ("ftp://host.test/", UrlError::Scheme("ftp".to_owned())),
            ("file:///etc/passwd", UrlError::Scheme("file".to_owned())),
            ("http://host.test/", UrlError::PlainHttp),
            ("https://host.test/a b", UrlError::Characters),
            (" https://host.test/", UrlError::Characters),
        ];
        for (text, expected) in cases {
            assert_eq!(EndpointUrl::parse(text, false).unwrap_err(), expected, "{text}");
        }
        assert!(matches!(EndpointUrl::parse("host.test/path", false), Err(UrlError::Invalid(_))));
        assert!(matches!(EndpointUrl::parse("https://", false), Err(UrlError::Invalid(_))));
        assert_eq!(
            EndpointUrl::parse(&format!("https://h.test/{}", "x".repeat(2_048)), false),
            Err(UrlError::TooLong)
        );
    }

    #[test]
    fn a_host_that_cannot_exist_and_port_0_are_refused() {
        use HostError::{Characters, EmptyLabel, Hyphen, LongLabel, TooLong};
        let part = str::to_owned;
        for (host, expected) in [
            (part("a..b"), EmptyLabel),
            (part(".a.test"), EmptyLabel),
            (part("."), EmptyLabel),
            (part("a.test.."), EmptyLabel),
            (part("-a.com"), Hyphen(part("-a"))),
            (part("a-.com"), Hyphen(part("a-"))),
            (part("*.a.com"), Characters(part("*"))),
            (format!("{}.com", "a".repeat(64)), LongLabel),
            (format!("{}.com", "ü".repeat(60)), LongLabel),
            (format!("{}com", "a.".repeat(126)), TooLong),
        ] {
            let refused = EndpointUrl::parse(&format!("https://{host}/"), false);
            assert_eq!(refused, Err(UrlError::Host(expected)), "{host}");
        }
        for host in ["a.test:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
            assert_eq!(
                EndpointUrl::parse(&format!("https://{host}/"), false),
                Err(UrlError::Port),
                "{host}"
            );
        }
    }

    #[test]
    fn a_host_that_can_exist_is_taken_however_unusual() {
        let hosts = [
            "a".to_owned(),
            "a.test.".to_owned(),
            "_dmarc.my_host.test".to_owned(),
            "a--b.test".to_owned(),
            "xn--bcher-kva.test".to_owned(),
            "bücher.test".to_owned(),
            "例え.テスト".to_owned(),
            "1.a.test:1".to_owned(),
            "a.test:65535".to_owned(),
            "192.0.2.1".to_owned(),
            "[2001:db8::1]:8443".to_owned(),
            format!("{}.com", "a".repeat(63)),
            format!("{}c.", "a.".repeat(126)),
        ];
        for host in hosts {
            EndpointUrl::parse(&format!("https://{host}/"), false).unwrap_or_else(|error| panic!("{host}: {error}"));
        }
    }

    #[test]
    fn every_spelling_of_an_address_becomes_that_address() {
        for text in ["http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.0.0.1/"] {
            let url = EndpointUrl::parse(text, true).unwrap();
            assert_eq!(url.host(), Host::<&str>::Ipv4(std::net::Ipv4Addr::LOCALHOST), "{text}");
        }
    }
}
