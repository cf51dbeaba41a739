use tidings_app::jobs::{Job, JobState};
use tidings_app::publish::EventInput;
use tidings_app::{Code, DeliveryFilter, PersonRole};
use tidings_model::delivery::StatusFilter;

use super::{invited, owner};
use crate::support::{World, draft};

pub(super) const EVENTS: usize = 5;

/// A webhook to which so many events were delivered.
pub(super) async fn delivered(world: &World) -> DeliveryFilter {
    world.app.create_webhook(&world.operator, draft()).await.unwrap();
    for _ in 0..EVENTS {
        let event = EventInput {
            event_key: "frontegg.user.created",
            payload: b"{}",
            tenant_id: None,
            user_id: None,
            application_id: None,
            for_webhooks: true,
            payload_name: "payload",
        };
        world.app.publish(&world.operator, event, None).await.unwrap();
    }
    let filter = DeliveryFilter {
        status: Some(StatusFilter::Delivered),
        ..DeliveryFilter::of(world.operator.environment())
    };
    while world.app.count_deliveries(&world.operator, filter.clone()).await.unwrap() < EVENTS {
        tokio::task::yield_now().await;
    }
    filter
}

async fn ended(world: &World, id: &str) -> Job {
    loop {
        let jobs = world.app.jobs(&world.operator).unwrap();
        let job = jobs.into_iter().find(|job| job.id == id).unwrap();
        if job.state != JobState::Running {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_job_resends_what_a_filter_admits_once_and_can_be_come_back_to() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let owner = owner(&world).await;
    let caller = world.app.caller_of(&owner.visit, world.operator.environment()).unwrap();
    let job = world.app.resend_many(&caller, filter).await.unwrap();
    assert_eq!((job.total, job.state.clone()), (Some(EVENTS as u64), JobState::Running));
    let job = ended(&world, &job.id).await;
    assert_eq!(
        (job.done, job.state.clone()),
        (EVENTS as u64, JobState::Done("5 deliveries resent".to_owned()))
    );
    assert_eq!(world.app.job(&owner.visit, &job.id).unwrap(), job);
    let all = DeliveryFilter::of(caller.environment());
    assert_eq!(world.app.count_deliveries(&caller, all).await.unwrap(), 2 * EVENTS);
    world.clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(world.app.job(&owner.visit, &job.id).unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn one_such_job_runs_at_a_time_and_stops_when_asked() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let job = world.app.resend_many(&world.operator, filter.clone()).await.unwrap();
    let second = world.app.resend_many(&world.operator, filter.clone()).await;
    assert_eq!(second.unwrap_err().code, Code::Conflict);
    world.app.cancel_job(&world.operator, &job.id).unwrap();
    let job = ended(&world, &job.id).await;
    assert!(matches!(job.state, JobState::Cancelled(_)), "{job:?}");
    let third = world.app.resend_many(&world.operator, filter).await.unwrap();
    ended(&world, &third.id).await;
}

#[tokio::test]
async fn a_job_ends_when_the_process_does() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let job = world.app.resend_many(&world.operator, filter).await.unwrap();
    world.tasks.shutdown().begin();
    world.tasks.ended().await;
    let job = ended(&world, &job.id).await;
    assert!(
        matches!(&job.state, JobState::Failed(problem) if problem.code == Code::Unavailable),
        "{job:?}"
    );
}

#[tokio::test]
async fn a_job_that_is_broken_off_has_failed() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let job = world.app.resend_many(&world.operator, filter).await.unwrap();
    world.tasks.shutdown().force();
    world.tasks.ended().await;
    let job = ended(&world, &job.id).await;
    assert!(
        matches!(&job.state, JobState::Failed(problem) if problem.code == Code::Internal),
        "{job:?}"
    );
}

#[tokio::test]
async fn deliveries_of_a_disabled_webhook_are_left_out_and_a_filter_that_admits_nothing_is_refused() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let nothing = DeliveryFilter {
        status: Some(StatusFilter::Exhausted),
        ..filter.clone()
    };
    let refused = world.app.resend_many(&world.operator, nothing).await;
    assert_eq!(refused.unwrap_err().code, Code::NotFound);
    let webhooks = world
        .app
        .webhooks(&world.operator, tidings_app::WebhookFilter::default(), tidings_app::Page::first(1))
        .await
        .unwrap();
    world
        .app
        .switch_webhook(&world.operator, webhooks[0].webhook.id, false)
        .await
        .unwrap();
    let job = world.app.resend_many(&world.operator, filter).await.unwrap();
    let job = ended(&world, &job.id).await;
    assert!(
        matches!(&job.state, JobState::Done(summary) if summary.starts_with("0 deliveries resent; 5 left out")),
        "{job:?}"
    );
}

#[tokio::test]
async fn a_viewer_and_a_stranger_neither_begin_nor_stop_a_job() {
    let world = World::new().await;
    let filter = delivered(&world).await;
    let owner = owner(&world).await;
    let viewer = invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await.visit;
    let viewer = world.app.caller_of(&viewer, world.operator.environment()).unwrap();
    let begun = world.app.resend_many(&viewer, filter.clone()).await;
    assert_eq!(begun.unwrap_err().code, Code::Forbidden);
    let stranger = world.stranger().await;
    let job = world.app.resend_many(&world.operator, filter).await.unwrap();
    assert_eq!(world.app.cancel_job(&viewer, &job.id).unwrap_err().code, Code::Forbidden);
    assert_eq!(world.app.cancel_job(&stranger, &job.id).unwrap_err().code, Code::NotFound);
    assert!(world.app.jobs(&stranger).unwrap().is_empty());
    assert!(matches!(ended(&world, &job.id).await.state, JobState::Done(_)));
}
