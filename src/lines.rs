//! Lines out of a stream of bytes: a coroutine inside a coroutine.
//!
//! TCP carries bytes, not messages: one receive may bring half a line, or three and a half. So
//! a reader of lines keeps what it has received too much of, and waits again when it has too
//! little. [`read_line`] does that waiting on behalf of the task that calls it: its events pass
//! through the caller to the scheduler. (Python writes `yield from`.)
//!
//! A last line without a newline is a line, too; and when a server stops, what a client has sent
//! of its next line is its last.

use std::io;

use crate::net::Socket;
use crate::task::Co;

// ANCHOR: lines
/// The longest line that is read, without its newline: 2 MiB.
pub const MAX_LINE: usize = 2 * 1024 * 1024;

/// A socket, and what has been received from it but not yet been read.
#[derive(Debug)]
pub struct Lines {
    socket: Socket,
    received: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// No newline lies between there and here.
    searched: usize,
}

impl Lines {
    /// Reads lines from `socket`.
    pub fn new(socket: Socket) -> Lines {
        Lines { socket, received: Vec::new(), start: 0, searched: 0 }
    }

    /// Where the next line ends, if all of it has been received.
    fn end(&mut self) -> Option<usize> {
        let newline =
            self.received[self.searched..].iter().position(|&byte| byte == b'\n');
        match newline {
            Some(at) => Some(self.searched + at + 1),
            None => {
                self.searched = self.received.len();
                None
            }
        }
    }

    /// Makes room: what has been read already is not needed any more.
    fn forget(&mut self) {
        self.received.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.received.is_empty() {
            self.received = Vec::new(); // a connection that waits holds no buffer
        }
    }

    /// The bytes up to `end`, which are read now; none at all is the end of input.
    fn take(&mut self, end: usize) -> Option<&[u8]> {
        let line = &self.received[self.start..end];
        self.start = end;
        self.searched = end;
        (!line.is_empty()).then_some(line)
    }
}
// ANCHOR_END: lines

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
    let end = loop {
        let end = lines.end();
        let length = end.map_or(lines.received.len(), |end| end - 1) - lines.start;
        if length > MAX_LINE {
            let why =
                format!("refused a line of more than {MAX_LINE} bytes, the longest");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        if let Some(end) = end {
            break end;
        }
        lines.forget();
        let more = co.yield_(lines.socket.recv()).await?;
        if more.is_empty() {
            break lines.received.len();
        }
        lines.received.extend_from_slice(&more);
    };
    Ok(lines.take(end))
}
// ANCHOR_END: read_line
