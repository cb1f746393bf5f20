//! Lines out of a stream of bytes: a coroutine inside a coroutine.
//!
//! TCP carries bytes, not messages: one receive may bring half a line, or three and a half. So
//! a reader of lines keeps what it has received too much of, and waits again when it has too
//! little. [`read_line`] does that waiting on behalf of the task that calls it: its events pass
//! through the caller to the scheduler. (Python writes `yield from`.)

use std::io;

use crate::net::Socket;
use crate::task::Co;

/// The longest line that is read, without its newline: 2 MiB.
pub const MAX_LINE: usize = 2 * 1024 * 1024;

/// A socket, and what has been received from it but not yet been read.
#[derive(Debug)]
pub struct Lines {
    socket: Socket,
    received: Vec<u8>,
    /// Where the next line starts.
    start: usize,
}

impl Lines {
    /// Reads lines from `socket`.
    pub fn new(socket: Socket) -> Lines {
        Lines { socket, received: Vec::new(), start: 0 }
    }

    /// The socket, to send on.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }
}

// ANCHOR: read_line
/// The next line, with its newline; the last may have none. `None` is the end of input.
///
/// # Errors
///
/// Those of the receive, or `InvalidData` for a line longer than [`MAX_LINE`].
pub async fn read_line<'a>(
    co: &Co,
    lines: &'a mut Lines,
) -> io::Result<Option<&'a [u8]>> {
    let mut searched = lines.start;
    let end = loop {
        let newline = lines.received[searched..].iter().position(|&byte| byte == b'\n');
        let length =
            newline.map_or(lines.received.len(), |at| searched + at) - lines.start;
        if length > MAX_LINE {
            let why =
                format!("a line of more than {MAX_LINE} bytes: this is the longest");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if newline.is_some() {
            break lines.start + length + 1;
        }
        // What has been read already makes room for what comes.
        lines.received.drain(..lines.start);
        lines.start = 0;
        searched = lines.received.len();
        let more = co.yield_(lines.socket.recv()).await?;
        if more.is_empty() {
            break lines.received.len();
        }
        lines.received.extend_from_slice(&more);
    };
    let line = &lines.received[lines.start..end];
    lines.start = end;
    Ok(if line.is_empty() { None } else { Some(line) })
}
// ANCHOR_END: read_line
