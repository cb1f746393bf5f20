//! An echo server of your own: one thread, tasks that yield events, and a scheduler.
//!
//! The page of this exercise: chapters/exercises/04_your_own.md

use std::io;
use std::net::TcpListener;

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    todo!("an echo server")
}
