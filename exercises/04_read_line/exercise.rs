//! A coroutine inside a coroutine: lines, out of pieces that end where they like.
//!
//! The page of this exercise: chapters/exercises/04_read_line.md

use std::io;
use std::mem;

use bricks::net::Socket;
use bricks::scheduler::task::Co;

/// A client's lines.
pub struct Lines {
    client: Socket,
    /// What has been received and not been returned yet.
    received: Vec<u8>,
}

impl Lines {
    /// Nothing has been received.
    pub fn new(client: Socket) -> Lines {
        Lines { client, received: Vec::new() }
    }
}

/// The next line, with its newline; the last may have none. `None` is the end of input.
///
/// # Errors
///
/// Those of the receive.
pub async fn read_line(co: &Co, lines: &mut Lines) -> io::Result<Option<Vec<u8>>> {
    todo!("yield lines.client.recv() until there is a line")
}
