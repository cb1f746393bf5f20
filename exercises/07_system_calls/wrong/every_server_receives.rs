//! Tempting: whatever waits, somebody has to call `recv` and `send`.
//! Told: Who carries the operations out?
    4
// NEXT
    2
// NEXT
    3
// NEXT
    2
