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

/// What has been received of a stream of lines, but not yet been read.
#[derive(Debug, Default)]
pub struct Unread {
    bytes: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// No newline lies between there and here.
    searched: usize,
}

impl Unread {
    /// Where the next line ends, if all of it has been received.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is longer than [`MAX_LINE`], or will be.
    pub fn line(&mut self) -> io::Result<Option<usize>> {
        let newline = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n');
        let end = newline.map(|at| self.searched + at + 1);
        self.searched = end.unwrap_or(self.bytes.len());
        let length = end.map_or(self.bytes.len(), |end| end - 1) - self.start;
        if length > MAX_LINE {
            let why =
                format!("refused a line of more than {MAX_LINE} bytes, the longest");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(end)
    }

    /// Where the last line ends, which has no newline.
    pub fn end(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room: what has been read already is not needed any more.
    pub fn forget(&mut self) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        if self.bytes.is_empty() {
            self.bytes = Vec::new(); // a connection that waits holds no buffer
        }
    }

    /// Something more has been received.
    pub fn add(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// The bytes up to `end`, which are read now; none at all is the end of input.
    pub fn take(&mut self, end: usize) -> Option<&[u8]> {
        let line = &self.bytes[self.start..end];
        self.start = end;
        self.searched = end;
        (!line.is_empty()).then_some(line)
    }
}
// ANCHOR_END: lines

// ANCHOR: read_line
/// A socket, and what has been received from it but not yet been read.
#[derive(Debug)]
pub struct Lines {
    socket: Socket,
    unread: Unread,
}

impl Lines {
    /// Reads lines from `socket`.
    pub fn new(socket: Socket) -> Lines {
        Lines { socket, unread: Unread::default() }
    }
}

/// The next line, with its newline; the last may have none. `None` is the end of input.
///
/// # Errors
///
/// Those of the receive, or `InvalidData` for a line longer than [`MAX_LINE`].
pub async fn read_line<'a>(
    co: &Co,
    lines: &'a mut Lines,
) -> io::Result<Option<&'a [u8]>> {
    let Lines { socket, unread } = lines;
    let end = loop {
        if let Some(end) = unread.line()? {
            break end;
        }
        unread.forget();
        let more = co.yield_(socket.recv()).await?;
        if more.is_empty() {
            break unread.end();
        }
        unread.add(&more);
    };
    Ok(unread.take(end))
}
// ANCHOR_END: read_line
