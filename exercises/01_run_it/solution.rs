//! Run `01_blocking`, watch two clients, and say what you saw.
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

/// The second client connects while the first is being served. What becomes of its `connect`?
///
/// - A: it is refused.
/// - B: it succeeds at once.
/// - C: it waits until the first client has gone.
pub fn the_second_connects() -> Answer {
    // ANSWER: A, B or C?
    B
    // ANSWER_END
}

/// The second client sends a line, and gets no answer. Where is the line?
///
/// - A: still in the client's program.
/// - B: in the kernel, which keeps it for the server's socket.
/// - C: in the server's program, in `buffer`.
pub fn its_line_waits() -> Answer {
    // ANSWER: A, B or C?
    B
    // ANSWER_END
}

/// The first client leaves. What does the second get for the line that it has sent?
///
/// - A: nothing; it has to send the line again.
/// - B: an error.
/// - C: the echo of the line.
pub fn then_it_gets() -> Answer {
    // ANSWER: A, B or C?
    C
    // ANSWER_END
}

/// The first client is connected and silent. In which call is the server?
///
/// - A: in `accept`.
/// - B: in `read`.
/// - C: in none: it looks at both sockets again and again.
pub fn the_server_sleeps_in() -> Answer {
    // ANSWER: A, B or C?
    B
    // ANSWER_END
}
