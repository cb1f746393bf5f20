//! Tempting: the client had no time to end its connection.
//! Told: What does the kernel do with the sockets
    C
// NEXT
    B
// NEXT
    A
// NEXT
    A
