//! Tempting: a program that does not run cannot answer.
//! Told: Press Ctrl-Z in the terminal
    C
// NEXT
    B
// NEXT
    C
