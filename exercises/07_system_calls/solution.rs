//! What an echo costs: count the system calls.
//!
//! The page of this exercise: chapters/exercises/07_system_calls.md

/// System calls of one echo with `04_scheduler` and one client.
pub fn calls_of_04_scheduler() -> u32 {
    // ANSWER: a number of calls
    4
    // ANSWER_END
}

/// How many of those only wait, and move no byte?
pub fn waits_of_04_scheduler() -> u32 {
    // ANSWER: a number of calls
    2
    // ANSWER_END
}

/// System calls of one echo with `05_epoll` and one client.
pub fn calls_of_05_epoll() -> u32 {
    // ANSWER: a number of calls
    3
    // ANSWER_END
}

/// How many of the system calls of an echo with `07_io_uring` are `recv` or `send`?
pub fn receives_and_sends_of_07_io_uring() -> u32 {
    // ANSWER: a number of calls
    0
    // ANSWER_END
}
