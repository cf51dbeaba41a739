//! `/v1/keys`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tidings_app::keys::{Keys, MasterKeyView, TokenKeyView};
use tidings_model::Timestamp;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Authenticated;
use crate::body;
use crate::problem::{ApiProblem, Refused};
use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rotate_master))
        .routes(routes!(rotate_tokens))
}

/// The keys of the server, by their names; never a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Keys)]
struct KeysView {
    /// Whether the master key is given from outside, so that it is changed there too.
    given: bool,
    /// The master keys: the current one, then those before it.
    master_keys: Vec<MasterKey>,
    /// The keys that sign access tokens, the one in use last.
    token_keys: Vec<TokenKey>,
}

/// A master key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MasterKey {
    /// Its name.
    id: String,
    /// `current`; `retiring` while something that it sealed is left; `retired`.
    state: &'static str,
    /// Since when it seals, or sealed.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// How many secrets are sealed with it.
    sealed: u64,
}

/// A key that signs access tokens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokenKey {
    /// Its name, which tokens carry as `kid`.
    id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// When its tokens are not accepted any more; `null` for the one in use.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
}

/// How a key is changed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotation {
    /// Whether access tokens that are out there end at once, as after a theft, rather than by themselves.
    #[serde(default)]
    revoke_tokens: bool,
}

/// How the master key is changed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MasterRotation {
    /// The id of the key that is to be replaced: nothing happens, and the answer is 409, when another is in use. Without it, whichever is.
    replaces: Option<String>,
    /// Whether access tokens that are out there end at once, as after a theft, rather than by themselves.
    #[serde(default)]
    revoke_tokens: bool,
}

impl From<Keys> for KeysView {
    fn from(keys: Keys) -> Self {
        Self {
            given: keys.given,
            master_keys: keys.master.into_iter().map(MasterKey::from).collect(),
            token_keys: keys.tokens.into_iter().map(TokenKey::from).collect(),
        }
    }
}

impl From<MasterKeyView> for MasterKey {
    fn from(key: MasterKeyView) -> Self {
        Self {
            id: key.name,
            state: key.state,
            since: key.since,
            sealed: key.sealed,
        }
    }
}

impl From<TokenKeyView> for TokenKey {
    fn from(key: TokenKeyView) -> Self {
        Self {
            id: key.name,
            made_at: key.made_at,
            ends_at: key.ends_at,
        }
    }
}

/// List the server's keys
///
/// Their names, ages, and how many secrets each master key seals; never a key.
#[utoipa::path(
    get,
    path = "/v1/keys",
    operation_id = "listKeys",
    tag = "Keys",
    responses((status = 200, description = "All of them.", body = KeysView), Refused)
)]
async fn list(State(state): State<ServerState>, Authenticated(caller): Authenticated) -> Result<Json<KeysView>, ApiProblem> {
    Ok(Json(state.app.keys(&caller).await?.into()))
}

/// Change the master key
///
/// The server makes a new one, keeps it where the old one is, and seals every secret anew while it serves. When nothing is left that the old key sealed, the
/// old key is removed: `GET /v1/keys` shows it as retired. **Backups that were made until then need the old key**: keep a copy of it with them. Invitations and
/// other links that were made before stop working.
#[utoipa::path(
    post,
    path = "/v1/keys/master/rotate",
    operation_id = "rotateMasterKey",
    tag = "Keys",
    request_body = MasterRotation,
    responses(
        (status = 202, description = "The new key seals from now on; what the old one sealed is being sealed anew.", body = KeysView),
        Refused
    )
)]
async fn rotate_master(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(MasterRotation { replaces, revoke_tokens }): body::Json<MasterRotation>,
) -> Result<(StatusCode, Json<KeysView>), ApiProblem> {
    let keys = state.app.rotate_master_key(&caller, replaces, revoke_tokens).await?;
    Ok((StatusCode::ACCEPTED, Json(keys.into())))
}

/// Change the key of access tokens
///
/// New tokens are signed with a new key. Those that are out there stay valid until they expire, or end at once when `revokeTokens` says so: then every client
/// has to ask for a new one.
#[utoipa::path(
    post,
    path = "/v1/keys/tokens/rotate",
    operation_id = "rotateTokenKey",
    tag = "Keys",
    request_body = Rotation,
    responses((status = 200, description = "The keys as they are now.", body = KeysView), Refused)
)]
async fn rotate_tokens(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    body::Json(Rotation { revoke_tokens }): body::Json<Rotation>,
) -> Result<Json<KeysView>, ApiProblem> {
    Ok(Json(state.app.rotate_token_key(&caller, revoke_tokens).await?.into()))
}
