//! Ten clients, a hundred clients: measure, and write down the numbers.
//!
//! The page of this exercise: chapters/exercises/02_who_waits.md

/// Ten clients at once, each for two seconds, with `01_blocking`: after how many seconds (to the
/// nearest) has the last one gone?
pub fn seconds_with_01_blocking() -> u32 {
    // ANSWER: a number of seconds
    20
    // ANSWER_END
}

/// The same with `02_threads`.
pub fn seconds_with_02_threads() -> u32 {
    // ANSWER: a number of seconds
    2
    // ANSWER_END
}

/// How many threads does `02_threads` have while a hundred clients talk to it?
pub fn threads_of_02_threads() -> u32 {
    // ANSWER: a number of threads
    101
    // ANSWER_END
}

/// And `04_scheduler`, while a hundred clients talk to it?
pub fn threads_of_04_scheduler() -> u32 {
    // ANSWER: a number of threads
    1
    // ANSWER_END
}
