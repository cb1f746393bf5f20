//! The check of the exercise: what the experiment shows.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_01_run_it, path = "../my/01_run_it.rs")]
#[rustfmt::skip]
mod exercise;

use exercise::Answer::{self, A, B, C};

fn expect(answer: Answer, right: Answer, look_again: &str) {
    assert!(answer == right, "{answer:?} is not what happens. {look_again}");
}

#[test]
fn the_second_client_connects() {
    let look = "The client `talk` says \"connected\" as soon as it is: look at the second \
                terminal while the first is busy. Who answers a `connect`, if the server's \
                only thread is elsewhere?";
    expect(exercise::the_second_connects(), B, look);
}

#[test]
fn the_line_waits_somewhere() {
    let look = "The client's `write` has returned, and the server has not called `read` on this \
                connection yet. Who else could keep the bytes?";
    expect(exercise::its_line_waits(), B, look);
}

#[test]
fn the_first_client_leaves() {
    let look = "End the first client while the second waits for its answer, and look at the \
                second terminal.";
    expect(exercise::then_it_gets(), C, look);
}

#[test]
fn the_server_sleeps() {
    let _ = A;
    let look = "`top` shows that the server takes no processor time, so it sleeps. Read \
                src/bin/01_blocking.rs from the top: it has accepted the first client. Which \
                line has not returned?";
    expect(exercise::the_server_sleeps_in(), B, look);
}
