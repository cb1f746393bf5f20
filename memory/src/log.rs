//! The twin of the library's log: it keeps its lines.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::net::SocketAddr;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

/// Takes out what this thread's server has said so far, a line or problem each.
pub fn take() -> Vec<String> {
    LINES.take()
}

/// A server's log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Log {
    /// A client was accepted.
    pub fn connection(&self, addr: SocketAddr) {
        problem(format_args!("Connection from: {addr}"));
    }

    /// A client is gone, whatever the reason.
    pub fn disconnected(&self, addr: SocketAddr) {
        problem(format_args!("Client: {addr} disconnected"));
    }
}

/// One line (or more).
pub fn problem(line: impl Display) {
    LINES.with_borrow_mut(|lines| lines.push(line.to_string()));
}

/// What somebody who panicked has said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
