//! Run `01_blocking` with three clients, and say what you saw.
//!
//! The page of this exercise: chapters/exercises/01_run_it.md

/// One of the answers offered above each question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    A,
    B,
    C,
}
use Answer::{A, B, C};

/// Three clients are connected, and the first is being served. The third sends a line, and then
/// the second sends one. Now the first leaves. Whose line is answered next?
///
/// - A: the third one's, because it came first.
/// - B: that of whichever client the kernel wakes first: it differs from run to run.
/// - C: the second one's, because it connected first.
pub fn answered_next() -> Answer {
    todo!("A, B or C?")
}

/// The second client sends a line, and is ended with Ctrl-C while it waits. Then the first
/// leaves. What does the server do about the second?
///
/// - A: nothing. A client that has left is no longer in the queue.
/// - B: it accepts the connection, reads the line, and finds that the client has gone.
/// - C: it accepts the connection, and waits in `read` for ever.
pub fn about_the_one_that_left() -> Answer {
    todo!("A, B or C?")
}

/// The first client is being served, and is stopped with Ctrl-Z. How long do the others wait?
///
/// - A: until it goes on and leaves, or is ended.
/// - B: for a minute: then the kernel closes the connection of a program that is stopped.
/// - C: not at all: a program that does not run cannot keep a connection.
pub fn while_it_is_stopped() -> Answer {
    todo!("A, B or C?")
}

/// The stopped client is killed: `kill -9 %1` in its terminal. It cannot say goodbye. What becomes
/// of the server's `read`?
///
/// - A: it sleeps on, because no client has ended the connection.
/// - B: it returns an error, after a time-out of some minutes.
/// - C: it returns at once. The kernel closes the connections of a program that has ended.
pub fn when_it_is_killed() -> Answer {
    todo!("A, B or C?")
}
