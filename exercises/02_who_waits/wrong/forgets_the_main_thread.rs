//! Tempting: a thread for each client makes a hundred.
//! Told: the thread that accepts them
    20
// NEXT
    2
// NEXT
    100
