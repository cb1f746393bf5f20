//! Tempting: its line has been waiting for longer.
//! Told: The queue holds connections
    A
