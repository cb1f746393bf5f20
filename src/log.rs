//! What a server says: its log on standard output, its problems on standard error.
//!
//! `println!` panics when the other end is closed (`04_scheduler | head -1`), and waits when it
//! is open but nobody reads (Ctrl-S in a terminal, a pager). A server must not end because its
//! log did, nor let its clients wait for it. So a line that cannot be written is dropped: there
//! is nobody to tell.

use std::any::Any;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::select::{FdSet, select};

// ANCHOR: log
/// A server's log, and the switch that silences the two lines for each client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    quiet: bool,
}

impl Log {
    /// A log that says nothing about clients if `quiet` (the flag `--quiet`).
    pub fn new(quiet: bool) -> Log {
        Log { quiet }
    }

    /// The server accepts connections on this address. Even a quiet one says so: with port 0 it
    /// is the only way to know which.
    pub fn listening(&self, addr: SocketAddr) {
        say(format_args!("listening on {addr}"));
    }

    /// A client was accepted.
    pub fn connection(&self, addr: SocketAddr) {
        if !self.quiet {
            say(format_args!("Connection from: {addr}"));
        }
    }

    /// A client is gone, whatever the reason.
    pub fn disconnected(&self, addr: SocketAddr) {
        if !self.quiet {
            say(format_args!("Client: {addr} disconnected"));
        }
    }
}
// ANCHOR_END: log

// ANCHOR: say
/// One line on standard output, at once.
pub fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    if has_room(out.as_raw_fd()) {
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// One line (or more) on standard error.
pub fn problem(line: impl Display) {
    let mut out = io::stderr().lock();
    if has_room(out.as_raw_fd()) {
        let _ = writeln!(out, "{line}");
    }
}
// ANCHOR_END: say

// ANCHOR: panic
/// What somebody who panicked has said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
// ANCHOR_END: panic

// ANCHOR: has_room
/// Whether a line can be written without waiting.
fn has_room(fd: RawFd) -> bool {
    let (mut nothing, mut room) = (FdSet::new(), FdSet::new());
    let asked = room
        .insert(fd)
        .and_then(|()| select(&mut nothing, &mut room, Some(Duration::ZERO)));
    asked.is_ok() && room.contains(fd)
}
// ANCHOR_END: has_room
