//! Tempting: a client that says nothing needs no thread.
//! Told: when it connects, or when it speaks?
    4
// NEXT
    1
// NEXT
    1
