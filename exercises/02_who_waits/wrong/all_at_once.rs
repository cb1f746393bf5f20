//! Tempting: all ten connect at once, so they should be served at once.
//! Told: when is the tenth one's turn?
    2
