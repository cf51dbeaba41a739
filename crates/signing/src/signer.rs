//! The signer of one webhook: keys are prepared once, an attempt costs only the hashing.

use crate::{BodyDigest, Secret, frontegg, standard};

/// Headers that an attempt can carry: three of Standard Webhooks and one of Frontegg.
const MAX_HEADERS: usize = 4;

/// Signs the deliveries of one webhook with every secret that is valid at the moment.
///
/// The default has no secret: its deliveries are named and dated, but not signed.
#[derive(Debug, Default)]
pub struct Signer {
    frontegg: Option<frontegg::SigningKey>,
    standard: Vec<standard::SigningKey>,
}

/// What is signed at one attempt.
#[derive(Debug, Clone, Copy)]
pub struct SignInput<'a> {
    /// The event's id as text, without a dot; the same over all attempts.
    pub message_id: &'a str,
    /// When this attempt is made, in Unix seconds, rounded down.
    pub timestamp_secs: u64,
    /// The exact bytes that are sent.
    pub body: &'a [u8],
}

/// The headers of one attempt, names in lower case, in the order in which they are sent.
///
/// `Debug` shows the names only: whoever holds the values can replay the delivery while they are fresh.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedHeaders(Vec<(&'static str, String)>);

impl Signer {
    /// Prepares a signer: the current secret first, then those that are being rotated out.
    ///
    /// `webhook-signature` lists one signature per secret. `x-webhook-secret` has room for one token, so it is
    /// made with the current secret. Without secrets neither header is sent.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets = secrets.into_iter().peekable();
        Self {
            frontegg: secrets.peek().map(|current| frontegg::SigningKey::new(current)),
            standard: secrets.map(standard::SigningKey::new).collect(),
        }
    }

    /// The headers of one attempt.
    pub fn sign(&self, input: &SignInput<'_>) -> SignedHeaders {
        self.headers(input, None)
    }

    /// As [`Self::sign`], with the digest of the body already known: for one body that goes to many webhooks.
    ///
    /// A digest of another body makes a token that receivers refuse.
    pub fn sign_with_digest(&self, input: &SignInput<'_>, digest: &BodyDigest) -> SignedHeaders {
        debug_assert_eq!(*digest, BodyDigest::of(input.body), "the digest is of another body");
        self.headers(input, Some(digest))
    }

    fn headers(&self, input: &SignInput<'_>, digest: Option<&BodyDigest>) -> SignedHeaders {
        debug_assert!(
            !input.message_id.contains('.'),
            "a dot in the id makes the signed content ambiguous"
        );
        let timestamp = input.timestamp_secs.to_string();
        let signatures = self.signature_list(input, &timestamp);

        let mut headers = Vec::with_capacity(MAX_HEADERS);
        headers.push((standard::ID_HEADER, input.message_id.to_owned()));
        headers.push((standard::TIMESTAMP_HEADER, timestamp));
        if !signatures.is_empty() {
            headers.push((standard::SIGNATURE_HEADER, signatures));
        }
        if let Some(key) = &self.frontegg {
            let digest = digest.copied().unwrap_or_else(|| BodyDigest::of(input.body));
            headers.push((frontegg::HEADER, key.sign(input, &digest)));
        }
        SignedHeaders(headers)
    }

    fn signature_list(&self, input: &SignInput<'_>, timestamp: &str) -> String {
        let mut list = String::new();
        for key in &self.standard {
            if !list.is_empty() {
                list.push(' ');
            }
            key.sign_into(&mut list, input.message_id, timestamp, input.body);
        }
        list
    }
}

impl SignedHeaders {
    /// The value of the header `name` (in lower case), when this attempt carries it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values in the order in which they are sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl IntoIterator for SignedHeaders {
    type Item = (&'static str, String);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl std::fmt::Debug for SignedHeaders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
