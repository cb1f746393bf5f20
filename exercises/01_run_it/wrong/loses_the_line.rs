//! Tempting: nobody has received the line, so it must be lost.
//! Told: End the first client while the second waits
    B
// NEXT
    B
// NEXT
    A
