//! The pulse of an environment, as server-sent events: "something happened here", at which a live page reads itself anew.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use futures::stream;
use tidings_app::{Code, Problem};
use tidings_model::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::fault::PageFault;
use crate::limits::{LIVE_BESIDE_OTHERS_EVERY, LIVE_PULSE_EVERY, LIVE_SILENCE_MAX, LIVE_STREAMS_MAX};
use crate::session::{self, InEnvironment};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/live", get(live))
}

async fn live(State(portal): State<Portal>, here: InEnvironment, jar: CookieJar) -> Result<Response, PageFault> {
    let full = format!("{LIVE_STREAMS_MAX} live pages are open already; this one stays as it was loaded");
    let permit = Arc::clone(&portal.streams).try_acquire_owned();
    let mut pulse = portal.app.pulse(&here.caller)?;
    // What happened between the page and its stream, or while the stream was broken, is told at once.
    pulse.mark_changed();
    let stream = Stream {
        pulse,
        _permit: permit.map_err(|_| Problem::new(Code::Overloaded, full))?,
        token: session::token(&portal, &jar).unwrap_or_default(),
        checked_at: portal.clock.now(),
        portal,
    };
    let events = stream::unfold(stream, async |mut stream| Some((stream.next().await?, stream)));
    Ok(Sse::new(events).into_response())
}

/// One open page.
struct Stream {
    portal: Portal,
    pulse: watch::Receiver<u64>,
    token: String,
    /// When the session was last known to be there.
    checked_at: Timestamp,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// What the page is told next; nothing more when the server stops or the session has ended.
    async fn next(&mut self) -> Option<Result<Event, Infallible>> {
        let others = self.portal.app.has_other_nodes();
        let silence = if others { LIVE_BESIDE_OTHERS_EVERY } else { LIVE_SILENCE_MAX };
        let happened = tokio::select! {
            biased;
            () = self.portal.shutdown.begun() => return None,
            changed = self.pulse.changed() => {
                changed.ok()?;
                // What happens in a burst is told once.
                self.portal.clock.sleep(LIVE_PULSE_EVERY).await;
                self.pulse.mark_unchanged();
                true
            }
            () = self.portal.clock.sleep(silence) => others,
        };
        let now = self.portal.clock.now();
        if now.since(self.checked_at) >= LIVE_SILENCE_MAX {
            self.portal.app.visit(&self.token).await.ok()?;
            self.checked_at = now;
        }
        let event = Event::default();
        // Browsers drop an event that has no data.
        Some(Ok(if happened {
            event.event("pulse").data("1")
        } else {
            event.comment("")
        }))
    }
}
