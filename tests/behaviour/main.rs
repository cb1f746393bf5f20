//! One behaviour suite, run against every server from the outside: a process, its command line,
//! its sockets, its log.
//!
//! A behaviour is a function of the [`stage::Stage`] it is run against. What a stage does
//! differently is declared in its `Stage` and asserted by the behaviour, so that a stated limit
//! is tested as much as a promise. Add a behaviour: write it in the file of its theme and name
//! it in the table below. Add a server: name it in the table, and declare it in `stage.rs`.

mod addresses;
mod client;
mod closing;
mod command_line;
mod echo;
mod fairness;
mod foreign;
mod judged;
mod limits;
mod lines;
mod original;
mod recording;
mod server;
mod signals;
mod silence;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod unread;

#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod memcheck;
#[cfg(target_os = "linux")]
mod proc;
#[cfg(target_os = "linux")]
mod resources;

/// Makes a test of each behaviour with each stage.
macro_rules! suite {
    (stages: $($module:ident $stage:ident)*; behaviours: $behaviours:tt) => {$(
        mod $module {
            suite!(@tests $stage $behaviours);
        }
    )*};
    (@tests $stage:ident { $($theme:ident: $($behaviour:ident)*;)* }) => {$($(
        #[test]
        fn $behaviour() {
            let stage = &crate::stage::$stage;
            if stage.can_run() {
                crate::$theme::$behaviour(stage);
            }
        }
    )*)*};
}

suite! {
    stages:
        s01_blocking BLOCKING
        s02_threads THREADS
        s03_select SELECT
        s04_scheduler SCHEDULER
        s05_epoll EPOLL
        s06_async_await ASYNC_AWAIT
        s07_io_uring IO_URING
        by_hand BY_HAND;
    behaviours: {
        echo:
            small empty one_byte_at_a_time all_byte_values large_both_ways partial_sends
            half_close sent_before_the_first_read sixteen_kib_in_ping_pong;
        fairness:
            the_second_client interleaved_clients slow_reader_beside_a_fast_one
            flooding_client_beside_a_ping_client descriptor_reuse;
        closing:
            resets_in_mid_transfer gone_before_it_is_accepted restart_at_once
            the_last_bytes_before_a_late_end;
        signals:
            stop_while_idle stop_beside_an_idle_client stop_in_mid_transfer
            stop_beside_a_stuck_client the_second_signal harmless_signals sigpipe;
        command_line:
            help_and_version unknown_flag missing_value bad_address unassignable_address
            port_in_use quiet the_log closed_standard_output closed_standard_error
            ipv6 both_families lines_is_a_flag_of_later_stages;
        unread:
            an_unread_terminal an_unread_pipe an_unread_socket an_unread_connection
            full_or_closed a_log_of_the_largest_size;
        recording:
            trace_is_an_option_of_later_stages a_recorded_server_serves
            a_recording_can_be_followed a_recording_that_cannot_be_written
            a_full_disk the_largest_file a_pipe_whose_reader_is_slow
            a_pipe_whose_reader_never_reads a_pipe_without_a_reader;
        lines:
            line_ends empty_lines long_lines split_and_joined_lines bytes_that_are_not_text
            a_last_line_without_newline a_line_that_is_too_long
            a_line_that_is_too_long_and_then_another_client;
        limits:
            out_of_descriptors clients_beyond_the_descriptors more_than_1024_descriptors
            ten_thousand_clients a_high_start too_few_to_start;
    }
}

// The original in Python promises less: a part of the table above, and what it gets wrong.
suite! {
    stages:
        python PYTHON;
    behaviours: {
        echo:
            small empty one_byte_at_a_time all_byte_values large_both_ways partial_sends
            half_close
            sent_before_the_first_read sixteen_kib_in_ping_pong;
        fairness:
            the_second_client interleaved_clients flooding_client_beside_a_ping_client;
        closing:
            restart_at_once the_last_bytes_before_a_late_end;
        signals:
            harmless_signals sigpipe;
        command_line:
            quiet the_log;
        original:
            a_reset_ends_it the_second_waiter_replaces_the_first a_blocking_send_stops_all
            select_is_called_without_a_task a_closed_descriptor_ends_it
            too_many_clients_end_it;
    }
}

// The server that asks all the time: right, if not good.
suite! {
    stages:
        ask_all ASK_ALL;
    behaviours: {
        echo:
            small empty all_byte_values large_both_ways partial_sends half_close;
        fairness:
            the_second_client;
        closing:
            resets_in_mid_transfer;
    }
}

// What any echo server promises, also one that knows nothing of this book.
suite! {
    stages:
        small_executor SMALL_EXECUTOR
        yours YOURS;
    behaviours: {
        echo:
            small empty one_byte_at_a_time all_byte_values large_both_ways partial_sends
            half_close sent_before_the_first_read sixteen_kib_in_ping_pong;
        fairness:
            the_second_client interleaved_clients slow_reader_beside_a_fast_one
            flooding_client_beside_a_ping_client descriptor_reuse;
        closing:
            resets_in_mid_transfer gone_before_it_is_accepted restart_at_once
            the_last_bytes_before_a_late_end;
        signals:
            harmless_signals;
        limits:
            clients_beyond_the_descriptors more_than_1024_descriptors;
        silence:
            ten_idle_seconds;
    }
}

// What it may promise besides; `cargo xtask judge` asks.
suite! {
    stages:
        yours_with_lines YOURS_WITH_LINES;
    behaviours: {
        lines:
            line_ends empty_lines long_lines split_and_joined_lines bytes_that_are_not_text
            a_last_line_without_newline;
    }
}

suite! {
    stages:
        yours_that_stops YOURS_THAT_STOPS;
    behaviours: {
        signals:
            stop_while_idle stop_beside_an_idle_client stop_in_mid_transfer
            stop_beside_a_stuck_client;
    }
}

suite! {
    stages:
        yours_strictly YOURS_STRICTLY;
    behaviours: {
        closing:
            resets_in_mid_transfer gone_before_it_is_accepted;
        command_line:
            unassignable_address port_in_use quiet the_log closed_standard_output
            closed_standard_error unread_standard_output ipv6;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    suite! {
        stages:
            s01_blocking BLOCKING
            s02_threads THREADS
            s03_select SELECT
            s04_scheduler SCHEDULER
            s05_epoll EPOLL
            s06_async_await ASYNC_AWAIT
            s07_io_uring IO_URING
            by_hand BY_HAND;
        behaviours: {
            resources:
                idle_costs_no_time a_stuck_client_costs_no_time close_on_exec
                short_connections_leave_nothing threads_are_counted
                an_idle_connection_is_small an_idle_connection_with_lines_is_small;
            echo:
                sent_in_parts;
            limits:
                no_more_threads a_burst_without_memory;
            lines:
                lines_leave_nothing;
            faults:
                interrupted_calls calls_that_would_block accept_runs_out_of_descriptors
                each_shortage_is_reported accept_pauses accept_fails_for_good
                both_families_are_asked_for a_stop_shuts_down_sending
                accept_loses_a_client accepted_sockets_send_at_once
                a_ring_in_a_shortage a_ring_of_an_older_kernel no_ring a_ring_that_breaks
                system_calls_of_an_echo system_calls_of_many_echoes;
        }
    }

    suite! {
        stages:
            s05_alone EPOLL;
        behaviours: {
            faults:
                epoll_watches_no_more registered_once;
            unread:
                an_unread_terminal_that_cannot_be_opened;
        }
    }

    suite! {
        stages:
            s05_memcheck EPOLL
            s06_memcheck ASYNC_AWAIT;
        behaviours: {
            memcheck:
                memory_is_used_properly;
        }
    }

    suite! {
        stages:
            python PYTHON;
        behaviours: {
            resources:
                idle_costs_no_time threads_are_counted;
            faults:
                interrupted_calls system_calls_of_an_echo;
        }
    }
}
