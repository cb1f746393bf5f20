//! Clients that are few, stopped, silent or gone: measure, and write down the numbers.
//!
//! The page of this exercise: chapters/exercises/02_who_waits.md

/// Four clients at once, each for one second, with `01_blocking`: after how many seconds (to the
/// nearest) has the last one gone?
pub fn seconds_with_01_blocking() -> u32 {
    // ANSWER: a number of seconds
    4
    // ANSWER_END
}

/// With `02_threads`, while another client is stopped in the middle: how many seconds?
pub fn seconds_beside_a_stopped_client() -> u32 {
    // ANSWER: a number of seconds
    1
    // ANSWER_END
}

/// How many threads does `02_threads` have while a hundred clients are connected, and none of
/// them has said a word?
pub fn threads_for_the_silent() -> u32 {
    // ANSWER: a number of threads
    101
    // ANSWER_END
}

/// And when they have gone?
pub fn threads_for_the_gone() -> u32 {
    // ANSWER: a number of threads
    1
    // ANSWER_END
}
