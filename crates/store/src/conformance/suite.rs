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
            }
            people {
                credentials_come_in_the_order_in_which_they_were_added
                a_credential_is_revoked_once_and_in_its_environment
                people_have_an_address_of_their_own
            }
            event_types {
                event_types_come_by_key
                a_key_is_taken_in_one_environment_alone
                an_event_type_is_removed_from_its_environment_alone
            }
            webhooks {
                a_webhook_comes_back_whole
                a_webhook_exists_in_its_environment_alone
                webhooks_are_listed_newest_first_by_pages
                webhooks_are_narrowed_by_tenant_state_and_text
                a_webhook_is_replaced_by_who_read_it_last
                health_starts_anew_when_a_webhook_becomes_active
                a_webhook_is_disabled_once
                a_deleted_webhook_does_not_exist
            }
            routing {
                every_change_raises_the_version_of_its_environment_alone
                nothing_else_raises_a_version
                an_unknown_environment_has_no_routing
            }
            append {
                ids_ascend_and_begin_with_the_time
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
