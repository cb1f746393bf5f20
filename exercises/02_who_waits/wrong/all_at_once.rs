//! Tempting: all four connect at once, so they should be served at once.
//! Told: when is the fourth one's turn?
    1
