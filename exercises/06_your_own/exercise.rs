//! An echo server of your own: one thread, futures, an executor and a reactor.
//!
//! The page of this exercise: chapters/exercises/06_your_own.md

use std::io;
use std::net::TcpListener;

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    todo!("an echo server")
}
