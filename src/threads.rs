//! A thread for each client, or a refusal: what stage 02 needs besides `std::thread`.

use std::hint;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use crate::log::{self, Log};

/// More memory than a thread takes to start.
const SPARE: usize = 16 * 1024 * 1024;

/// Runs `serve` on a thread of its own. If there is none to be had, the client at `addr` is
/// refused: that is reported, and the client is dropped with `serve`, which owns it.
pub fn spawn_or_refuse(addr: SocketAddr, log: Log, serve: impl FnOnce() + Send + 'static) {
    if let Err(error) = spawn(serve) {
        log::problem(format_args!(
            "{addr}: refused, no thread for it: {error}\n\
             each client needs one; serve fewer at once, or raise `ulimit -u` and `-v`"
        ));
        log.disconnected(addr);
    }
}

/// Starts a thread, or says why not.
fn spawn(serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread that has been granted still needs memory to start, and where there is none, the
    // process is ended. So see first whether there is some to spare …
    let mut spare = Vec::<u8>::new();
    spare.try_reserve_exact(SPARE).map_err(|_| ErrorKind::OutOfMemory)?;
    drop(hint::black_box(spare));
    let (starting, started) = mpsc::channel::<()>();
    // Not `thread::spawn`: that panics when the system has no thread to give.
    thread::Builder::new().spawn(move || {
        drop(starting);
        serve();
    })?;
    let _ = started.recv(); // … and let only one thread at a time use it to start.
    Ok(())
}
