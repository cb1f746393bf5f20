//! What the tests start can be ended by Ctrl-C, whoever starts the tests.
//!
//! A script that runs them in the background lets them ignore SIGINT, and a process inherits
//! what its parent ignores. What its parent *handles* it does not inherit: it starts with the
//! default action. So this process handles both signals, by doing what it would do anyway.

use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;

/// From now on, processes that this one starts do not ignore SIGINT and SIGTERM.
pub fn restore() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        for signal in [SIGINT, SIGTERM] {
            let always = Arc::new(AtomicBool::new(true));
            register_conditional_default(signal, always).expect("it can be handled");
        }
    });
}
