//! A signal as an event: SIGINT and SIGTERM make a socket readable.
//!
//! A signal handler interrupts the program anywhere, in the middle of an allocation if it must
//! be, so it may do next to nothing; but it may write to a pipe. The other end of that pipe is a
//! descriptor like any other, and a task waits for it with a `ReceiveEvent` (the *self-pipe
//! trick*). The handler is the crate `signal-hook`'s.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

use crate::net::Socket;

/// A socket that becomes readable when the process is asked to end (SIGINT, which is Ctrl-C, or
/// SIGTERM). A second such signal has its usual effect and ends the process at once.
///
/// # Errors
///
/// If there are no descriptors left, or the handlers cannot be installed.
pub fn stop_requests() -> io::Result<Socket> {
    let (ours, handlers) = UnixStream::pair()?;
    let seen = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // They run in this order: the first signal finds `seen` false, the second finds it true.
        flag::register_conditional_default(signal, Arc::clone(&seen))?;
        flag::register(signal, Arc::clone(&seen))?;
        pipe::register(signal, handlers.try_clone()?)?;
    }
    Socket::new(ours)
}
