//! Tempting: a thread that has been started could serve the next client.
//! Told: What does a thread do when
    4
// NEXT
    1
// NEXT
    101
// NEXT
    101
