//! The list of all cases.

/// Makes every case of the suite a test. Takes the name of an `async fn() -> (Arc<dyn Store>, impl Sized)` that makes an empty store; the second part
/// is dropped after the store. The calling crate needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance_suite {
    ($fresh:ident) => {
        $crate::conformance_suite! { @tests $fresh;
            environments {
                names_are_unique_without_regard_to_ascii_case
                environments_come_in_the_order_in_which_they_were_added
                a_change_leaves_the_rest_of_an_environment_as_it_was
                an_environment_that_holds_something_is_deleted_by_force_alone
                held_events_are_counted_up_to_a_thousand
                an_empty_environment_is_deleted
                force_deletes_what_is_configured_at_once
                the_events_of_a_deleted_environment_go_by_pruning
                a_copy_takes_settings_and_event_types_alone
                what_an_environment_holds_is_told
            }
            keys {
                the_first_master_key_is_kept
                a_master_key_is_retired_when_it_seals_nothing
                what_another_key_sealed_is_found_by_pages
                a_value_is_sealed_anew_only_where_it_did_not_change
                one_of_the_servers_own_keys_is_in_use
            }
            nodes {
                a_node_is_on_the_roll_from_when_it_joins
                a_node_that_beats_stays_on_the_roll
                a_beat_tells_of_changes
                leases_end_with_their_node
            }
            people {
                credentials_come_in_the_order_in_which_they_were_added
                a_credential_is_revoked_once_and_in_its_environment
                people_have_an_address_of_their_own
                a_person_is_changed_in_what_is_given
                a_recovery_link_changes_a_person_once
                the_last_owner_stays_one
                a_person_is_removed_once
            }
            sessions {
                a_session_comes_back_whole_with_its_person
                a_session_is_over_when_it_ends
                a_session_that_is_seen_ends_later
                sessions_are_listed_newest_first
                a_session_is_ended_once
                all_sessions_of_a_person_are_ended_but_one
                who_is_removed_is_signed_out
            }
            audit {
                entries_come_back_whole_newest_first
                entries_are_listed_by_pages
                entries_are_narrowed_by_environment_actor_and_action
                numbers_of_forgotten_entries_are_not_given_out_again
                entries_outlive_their_environment
            }
            activity {
                counts_of_a_span_add_up
                a_range_holds_the_spans_that_begin_in_it
                activity_of_webhooks_comes_by_time_and_webhook
                activity_of_unknown_environments_is_passed_over
                old_spans_are_forgotten
            }
            event_types {
                event_types_come_by_key
                a_key_is_taken_in_one_environment_alone
                an_event_type_is_removed_from_its_environment_alone
            }
            webhooks {
                a_webhook_comes_back_whole
                a_webhook_exists_in_its_environment_alone
                an_id_belongs_to_one_webhook_for_ever
                webhooks_are_listed_newest_first_by_pages
                webhooks_are_narrowed_by_tenant_state_and_text
                webhooks_in_trouble_are_those_that_need_somebody
                a_webhook_is_replaced_by_who_read_it_last
                health_starts_anew_when_a_webhook_becomes_active
                a_webhook_is_disabled_once
                a_deleted_webhook_does_not_exist
            }
            routing {
                every_change_raises_the_version_of_its_environment_alone
                nothing_else_raises_a_version
                what_has_changed_since_a_version_is_told_alone
                an_unknown_environment_has_no_routing
            }
            append {
                ids_ascend_and_begin_with_the_time
                ids_are_not_given_out_again_after_pruning
                a_millisecond_that_is_used_up_lends_from_the_next
                an_event_comes_back_whole
                deliveries_begin_as_their_targets_say
                deliveries_are_due_from_the_callers_time_on
                a_stale_routing_is_refused_and_takes_no_id
                each_event_of_a_call_stands_for_itself
            }
            idempotency {
                a_repetition_gives_the_first_event_again
                a_key_is_refused_for_another_request
                a_key_counts_inside_one_call
                an_expired_key_is_free
                a_key_belongs_to_its_environment
                a_key_is_looked_for_before_the_routing_version
                a_key_outlives_its_pruned_event
            }
            leases {
                a_lease_carries_what_is_needed_to_send
                the_oldest_due_is_leased_first
                a_lease_keeps_others_away_until_it_ends
                a_delivery_that_began_leased_is_leased_again_when_that_ends
                the_next_due_time_counts_leases
                a_lease_that_is_over_makes_nothing_due_early
                what_is_released_is_due_as_it_was
                every_webhook_with_pending_deliveries_is_shown
            }
            settle {
                a_delivery_moves_as_the_verdict_says
                attempts_are_counted_with_the_status_of_the_last
                only_who_has_the_lease_settles
                a_lease_that_ended_untaken_still_settles
                health_follows_every_attempt
                settlements_of_one_call_come_one_after_the_other
                an_attempt_outlives_its_webhook
                an_attempt_comes_back_whole
            }
            cancel {
                what_waits_is_cancelled_for_the_reason_that_the_webhook_is_off
                what_waits_for_a_webhook_that_is_on_again_is_not_cancelled
                what_is_leased_is_not_cancelled
                a_round_of_cancelling_stops_at_its_limit
            }
            resend {
                a_resend_is_a_new_delivery
                every_delivery_can_be_sent_again
                what_cannot_be_sent_again_is_refused
            }
            log {
                an_id_is_found_in_its_environment_alone
                a_detail_has_the_event_and_the_attempts
            }
            events {
                events_are_listed_newest_first_by_pages
                events_are_narrowed_by_key_tenant_and_time
                an_event_is_found_by_its_place
            }
            deliveries {
                deliveries_are_listed_newest_first_by_pages
                deliveries_are_narrowed_by_state
                deliveries_are_narrowed_by_event_and_webhook
                everything_that_a_filter_says_has_to_hold
                a_deleted_webhook_keeps_its_log_and_its_owner
                a_count_stops_at_its_cap
                no_list_shows_another_environment
            }
            upkeep {
                a_round_of_pruning_removes_the_oldest_up_to_its_limit
                what_is_pending_is_not_pruned
                a_pruned_event_takes_its_deliveries_along
                expired_keys_are_forgotten
                history_is_forgotten_up_to_a_limit_of_each_kind
                figures_count_what_is_pending_and_overdue
            }
            verify {
                a_store_that_was_used_as_it_should_be_is_sound
                a_verification_goes_on_where_it_stopped
                what_nobody_works_on_is_found
                what_is_due_is_not_late_where_somebody_works_or_nobody_serves
                a_lease_that_does_not_end_is_found
                an_attempt_without_the_one_before_it_is_found
                a_delivery_into_another_environment_is_found
                a_pending_delivery_to_no_webhook_is_found
            }
            races {
                one_of_many_appends_with_one_key_is_written
                appends_at_once_get_ids_of_their_own
                no_two_lease_the_same_delivery
                one_of_many_finishes_a_delivery
                one_of_many_replaces_what_all_have_read
                no_append_gets_past_a_new_webhook
                one_of_many_owners_stays
            }
        }
    };
    (@tests $fresh:ident; $($room:ident { $($case:ident)* })*) => {
        $(mod $room {
            use super::$fresh;

            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (store, kept) = $fresh().await;
                $crate::conformance::$room::$case(&store).await;
                drop(store);
                drop(kept);
            })*
        })*
    };
}
