//! Tempting: an echo receives and sends, and those are two calls.
//! Told: count each line
    2
