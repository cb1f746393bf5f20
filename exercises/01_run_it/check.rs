//! The check of the exercise: what the experiments show.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_01_run_it, path = "../my/01_run_it.rs")]
#[rustfmt::skip]
mod exercise;

use exercise::Answer::{self, A, B, C};

fn expect(answer: Answer, right: Answer, look_again: &str) {
    assert!(answer == right, "{answer:?} is not what happens. {look_again}");
}

#[test]
fn a_the_next_in_the_queue() {
    let look = "Give the lines in this order again, and end the first client. Which of the two \
                other terminals shows an answer? The queue holds connections, and not lines.";
    expect(exercise::answered_next(), C, look);
}

#[test]
fn b_the_one_that_left() {
    let look = "Look at the server's log: does a `Connection from` appear for the client that \
                you ended? The kernel had completed its connection and kept its line.";
    expect(exercise::about_the_one_that_left(), B, look);
}

#[test]
fn c_a_client_that_is_stopped() {
    let look = "Press Ctrl-Z in the terminal of the client that is being served, and type a line \
                into another one. `fg` lets the stopped one go on. Who owns its connection \
                meanwhile?";
    expect(exercise::while_it_is_stopped(), A, look);
}

#[test]
fn d_a_client_that_is_killed() {
    let look = "Type `kill -9 %1` in the terminal of the stopped client, and look at the \
                server's log. What does the kernel do with the sockets of a program that ends?";
    expect(exercise::when_it_is_killed(), C, look);
}
