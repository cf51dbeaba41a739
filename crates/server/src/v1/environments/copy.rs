//! Copying an environment's configuration into another.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tidings_app::CopyReport;
use tidings_model::{EnvironmentId, EventKey};
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::body;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// Where to copy to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyTarget {
    /// The id of the environment that is copied into.
    #[schema(value_type = String, example = "0f0c8a8e-6c1b-4d8e-9a43-5d1c7e1f2a3b")]
    to: EnvironmentId,
}

/// What was copied, and what was not.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CopyReport)]
pub(super) struct CopyReportView {
    /// What went over.
    copied: Copied,
    /// What the target had already and kept.
    kept: Kept,
    /// What is never copied.
    not_copied: NotCopied,
}

/// What went over.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Copied {
    /// The settings, always.
    settings: bool,
    /// The keys of event types.
    #[schema(value_type = Vec<String>)]
    event_types: Vec<EventKey>,
}

/// What the target had already.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Kept {
    /// The keys of event types.
    #[schema(value_type = Vec<String>)]
    event_types: Vec<EventKey>,
}

/// What is never copied.
#[derive(Serialize, ToSchema)]
struct NotCopied {
    /// How many webhooks stayed.
    webhooks: u64,
    /// How many credentials stayed.
    credentials: u64,
    /// The rule in words.
    note: &'static str,
}

impl From<CopyReport> for CopyReportView {
    fn from(report: CopyReport) -> Self {
        Self {
            copied: Copied {
                settings: true,
                event_types: report.event_types_copied,
            },
            kept: Kept {
                event_types: report.event_types_kept,
            },
            not_copied: NotCopied {
                webhooks: report.webhooks_left,
                credentials: report.credentials_left,
                note: "Webhooks, their secrets, credentials and history are never copied.",
            },
        }
    }
}

/// Copy an environment
///
/// Its settings and its own event types go over. Webhooks, their secrets, credentials and history never do.
#[utoipa::path(
    post,
    path = "/v1/environments/{id}/copy",
    operation_id = "copyEnvironment",
    tag = "Environments",
    params(("id" = String, Path, description = "The id of the environment that is copied.")),
    request_body = CopyTarget,
    responses((status = 200, description = "What was copied, and what was not.", body = CopyReportView), Refused)
)]
pub(super) async fn copy(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(from): Id<EnvironmentId>,
    body::Json(target): body::Json<CopyTarget>,
) -> Result<Json<CopyReportView>, ApiProblem> {
    Ok(Json(state.app.copy_environment(&caller, from, target.to).await?.into()))
}
