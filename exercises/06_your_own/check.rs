//! The check of the exercise: clients of a server of your own. `cargo xtask judge` asks for more.
//! What they do is in `exercises/src/clients.rs`.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_06_your_own, path = "../my/06_your_own.rs")]
#[rustfmt::skip]
mod exercise;

use exercises::clients;

#[test]
fn something_is_served() {
    clients::something_is_served(exercise::serve);
}

#[test]
fn a_silent_client_keeps_no_other_waiting() {
    clients::a_silent_client_keeps_no_other_waiting(exercise::serve);
}

#[test]
fn the_end_of_input_ends_the_connection() {
    clients::the_end_of_input_ends_the_connection(exercise::serve);
}

#[test]
fn what_does_not_fit_is_sent_later() {
    clients::what_does_not_fit_is_sent_later(exercise::serve);
}
