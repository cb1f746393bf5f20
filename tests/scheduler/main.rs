//! What a scheduler promises its tasks: in memory, where a test decides what happens next
//! (`memory/`), and on real sockets, with `select`, with `epoll`, and where the kernel does the
//! work.
//!
//! A promise is a function of the [kind](driver::Kind) of driver that keeps it. Add a promise: write it in the
//! file of its theme, and name it in the table below.

mod by_hand;
mod closing;
mod driver;
mod memory;
mod pollers;
mod sockets;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
#[cfg(target_os = "linux")]
#[path = "memory/twin.rs"]
mod twin;

/// Makes a test of each promise, with this driver.
macro_rules! promises_of {
    ($driver:ident) => {
        promises_of! { @tests $driver;
            tasks:
                without_tasks_there_is_nothing_to_run
                a_task_runs_only_when_the_scheduler_does
                tasks_submit_tasks
                a_task_that_waits_for_nothing_is_ended
                a_task_waits_in_one_place_at_a_time
                what_a_task_owns_may_panic_when_it_is_dropped;
            sockets:
                the_second_waiter_is_refused_and_the_first_goes_on_waiting
                one_task_may_read_while_another_writes
                an_error_is_a_result_for_one_task
                a_waiting_event_keeps_its_descriptor
                a_number_that_comes_back
                a_client_that_never_reads_beside_others
                a_burst_of_clients
                a_forgotten_listener_is_closed;
            closing:
                close_waits_for_the_peer_and_loses_nothing
                close_gives_up_on_a_peer_that_never_ends;
            stopping:
                a_stop_tells_everybody_who_waits
                a_stop_forgets_no_close_that_is_under_way;
        }
    };
    // What the loop of the driver promises by itself. That of `select` and `epoll` is the
    // scheduler's, and shows it in memory, where no second has to pass.
    ($driver:ident by itself) => {
        promises_of! { @tests $driver;
            tasks:
                a_panicking_task_ends_alone
                fail_stops_and_becomes_the_result
                sleepers_wake_in_the_order_of_their_times;
            sockets:
                an_empty_send_is_done_at_once;
            closing:
                close_gives_up_on_a_peer_that_says_no_more
                a_deadline_is_forgotten_when_the_connection_is_closed
                a_deadline_ends_no_other_close
                a_deadline_is_forgotten_when_the_close_is_refused;
            stopping:
                a_stop_does_not_receive_for_ever
                a_stop_does_not_wait_for_ever
                a_stop_leaves_no_task_behind
                a_scheduler_that_never_runs_drops_its_tasks;
        }
    };
    (@tests $driver:ident; $($theme:ident: $($promise:ident)*;)*) => {$($(
        #[test]
        fn $promise() {
            let kind = crate::driver::Kind::$driver;
            if kind.is_here() {
                crate::$theme::$promise(kind);
            }
        }
    )*)*};
}

mod select {
    promises_of!(Select);
}

mod epoll {
    promises_of!(Epoll);
}

mod ring {
    use crate::support::drivers::run_under_valgrind;

    promises_of!(Ring);
    promises_of!(Ring by itself);

    #[test]
    fn under_valgrind() {
        run_under_valgrind(&[
            "ring::a_burst_of_clients",
            "ring::a_stop_tells_everybody_who_waits",
        ]);
    }
}
