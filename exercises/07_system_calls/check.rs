//! The check of the exercise: what `strace` counts.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_07_system_calls, path = "../my/07_system_calls.rs")]
#[rustfmt::skip]
mod exercise;

fn expect(number: u32, right: u32, look_again: &str) {
    assert!(number == right, "not {number}. {look_again}");
}

#[test]
fn an_echo_with_select() {
    let look = "Look at what repeats between two messages of the client, and count each line: a \
                wait for input, and what follows it until the next wait for input.";
    expect(exercise::calls_of_04_scheduler(), 4, look);
}

#[test]
fn waits_with_select() {
    let look = "The task yields two events for an echo, a receive and a send; how often does the \
                scheduler ask `select` (strace calls it `pselect6`) until both have happened?";
    expect(exercise::waits_of_04_scheduler(), 2, look);
}

#[test]
fn an_echo_with_epoll() {
    let look = "With `epoll` a send is tried at once, before its socket is watched: there is nearly \
                always room. Which of the calls of stage 04 does that save?";
    expect(exercise::calls_of_05_epoll(), 3, look);
}

#[test]
fn who_receives_with_io_uring() {
    let look = "Look for `recv` and `send` (or `read` and `write`) on the client's descriptor \
                between two messages. Who carries the operations out?";
    expect(exercise::receives_and_sends_of_07_io_uring(), 0, look);
}
