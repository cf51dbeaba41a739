//! Who asks: client id and secret, or an access token, from the headers of a request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidings_app::{Caller, Code, Problem};
use tidings_model::EnvironmentId;

use crate::problem::ApiProblem;
use crate::state::ServerState;

/// Carries an access token, as Frontegg's server clients send it.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-access-token");
/// Names the environment that an operator acts in: our word, and that of Frontegg's clients.
const ENVIRONMENT_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("tidings-environment"),
    HeaderName::from_static("frontegg-environment-id"),
];
/// Says, from browsers only, which page asks.
const FETCH_SITE_HEADER: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Somebody who proved who they are. Every handler that acts for somebody takes this, and nothing else makes a [`Caller`].
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<ServerState> for Authenticated {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, ApiProblem> {
        Ok(Self(authenticate(state, &parts.headers).await?))
    }
}

/// Somebody who proved who they are, to have events accepted. What was revoked at another node is noticed with the next beat, so that no event waits for the
/// store twice.
#[derive(Debug)]
pub(crate) struct Producer(pub(crate) Caller);

impl FromRequestParts<ServerState> for Producer {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, ApiProblem> {
        Ok(Self(authenticate_producer(state, &parts.headers).await?))
    }
}

/// Who sent these headers, in the environment that they name or their own, as all nodes know it now.
pub(crate) async fn authenticate(state: &ServerState, headers: &HeaderMap) -> Result<Caller, Problem> {
    let credential = credential(headers)?;
    state.app.catch_up().await?;
    prove(state, headers, credential)
}

/// The same for whoever has events accepted, as this node knows it.
pub(crate) async fn authenticate_producer(state: &ServerState, headers: &HeaderMap) -> Result<Caller, Problem> {
    let credential = credential(headers)?;
    match prove(state, headers, credential) {
        // Another node may have made the credential or the environment just now.
        Err(problem) if matches!(problem.code, Code::Unauthenticated | Code::NotFound) => {
            state.app.catch_up().await?;
            prove(state, headers, credential)
        }
        proved => proved,
    }
}

fn prove(state: &ServerState, headers: &HeaderMap, credential: Credential<'_>) -> Result<Caller, Problem> {
    let caller = match credential {
        Credential::Token(token) => state.app.authenticate_token(token)?,
        Credential::Basic(encoded) => {
            same_site(headers)?;
            let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(|| unauthenticated("the Basic credential is not base64 of 'client id:secret' in UTF-8"))?;
            let (client_id, secret) = decoded
                .split_once(':')
                .ok_or_else(|| unauthenticated("the Basic credential has no ':' between client id and secret"))?;
            state.app.authenticate_basic(client_id, secret)?
        }
    };
    match environment(headers)? {
        Some(environment) => state.app.in_environment(caller, environment),
        None => Ok(caller),
    }
}

/// What somebody offers to prove who they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential<'a> {
    Token(&'a str),
    Basic(&'a str),
}

fn credential(headers: &HeaderMap) -> Result<Credential<'_>, Problem> {
    let authorization = single(headers, &header::AUTHORIZATION)?.map(parse_authorization).transpose()?;
    let token = single(headers, &TOKEN_HEADER)?.map(Credential::Token);
    match (authorization, token) {
        (Some(one), Some(other)) if one != other => Err(Problem::new(
            Code::Malformed,
            "Authorization and x-access-token prove two different things; send one of them",
        )),
        (Some(credential), _) | (None, Some(credential)) => Ok(credential),
        (None, None) => Err(unauthenticated(
            "send 'Authorization: Bearer <token>', 'x-access-token: <token>', or HTTP Basic with client id and secret",
        )),
    }
}

fn parse_authorization(text: &str) -> Result<Credential<'_>, Problem> {
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(unauthenticated("the Authorization header has no credential after its scheme"));
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Credential::Token(rest))
    } else if scheme.eq_ignore_ascii_case("basic") {
        Ok(Credential::Basic(rest))
    } else {
        Err(unauthenticated("the Authorization header has another scheme than Bearer and Basic"))
    }
}

/// A browser adds a remembered Basic credential to whatever another site makes it send: that is not its user asking.
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    match single(headers, &FETCH_SITE_HEADER)? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Problem::new(
            Code::Forbidden,
            "another site cannot ask with a browser's Basic credential; use a token",
        )),
    }
}

fn environment(headers: &HeaderMap) -> Result<Option<EnvironmentId>, Problem> {
    let mut named = None;
    for header in &ENVIRONMENT_HEADERS {
        let Some(text) = single(headers, header)? else {
            continue;
        };
        let id: EnvironmentId = text
            .parse()
            .map_err(|error: tidings_model::IdError| Problem::field(header.as_str(), error.to_string()))?;
        if named.is_some_and(|before| before != id) {
            return Err(Problem::field(
                header.as_str(),
                "names another environment than tidings-environment does",
            ));
        }
        named = Some(id);
    }
    Ok(named)
}

/// The one value of a header as text; an empty one is as good as none.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::new(Code::Malformed, format!("the header {name} comes more than once")));
    }
    let text = value
        .to_str()
        .map_err(|_| Problem::new(Code::Malformed, format!("the header {name} has to be visible ASCII text")))?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}
