//! Lines out of a stream of bytes: a coroutine inside a coroutine.
//!
//! TCP carries bytes, not messages: one receive may bring half a line, or three and a half. So
//! a reader of lines keeps what it has received too much of, and waits again when it has too
//! little. [`read_line`] does that waiting on behalf of the task that calls it: its events pass
//! through the caller to the scheduler. (Python writes `yield from`.)
//!
//! A last line without a newline is a line, too; and when a server stops, what a client has sent
//! of its next line is its last.

use std::collections::VecDeque;
use std::io;

use super::task::Co;
use crate::net::Socket;

/// The longest line that is read, without its newline: 2 MiB.
pub const MAX_LINE: usize = 2 * 1024 * 1024;

/// What has been received of a stream of lines, but not yet been read.
#[derive(Debug, Default)]
pub struct Unread {
    bytes: VecDeque<u8>,
    /// There is no newline in so many of them.
    searched: usize,
}

impl Unread {
    // ANCHOR: line
    /// Takes the next line, if all of it has been received.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is longer than [`MAX_LINE`], or will be.
    pub fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let newline = self.bytes.range(self.searched..).position(|&byte| byte == b'\n');
        let length = newline.map_or(self.bytes.len(), |at| self.searched + at);
        if length > MAX_LINE {
            let why =
                format!("refused a line of more than {MAX_LINE} bytes, the longest");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.searched = if newline.is_some() { 0 } else { length };
        let line = newline.map(|_| self.bytes.drain(..=length).collect());
        if self.bytes.len() <= self.bytes.capacity() / 4 {
            self.bytes.shrink_to(2 * self.bytes.len()); // who waits holds what it needs
        }
        Ok(line)
    }
    // ANCHOR_END: line

    /// Something more has been received.
    pub fn add(&mut self, more: &[u8]) {
        self.bytes.extend(more);
    }

    /// The last line, which has no newline.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes.into()
    }
}

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

// ANCHOR: read_line
/// The next line, with its newline; the last may have none. No bytes at all are the end of input.
///
/// # Errors
///
/// Those of the receive, or `InvalidData` for a line longer than [`MAX_LINE`].
pub async fn read_line(co: &Co, lines: &mut Lines) -> io::Result<Vec<u8>> {
    loop {
        if let Some(line) = lines.unread.line()? {
            return Ok(line);
        }
        let more = co.yield_(lines.socket.recv()).await?;
        if more.is_empty() {
            return Ok(lines.unread.rest());
        }
        lines.unread.add(&more);
    }
}
// ANCHOR_END: read_line

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_leaves_no_memory_behind() {
        let mut unread = Unread::default();
        unread.add(&[b'x'; 1_000_000]);
        assert_eq!(unread.line().unwrap(), None);
        unread.add(b"\ny");
        assert_eq!(unread.line().unwrap().map(|line| line.len()), Some(1_000_001));
        assert!(
            unread.bytes.capacity() < 100,
            "for one byte: {}",
            unread.bytes.capacity()
        );
        unread.add(b"\n");
        assert_eq!(unread.line().unwrap(), Some(b"y\n".to_vec()));
        assert_eq!(unread.bytes.capacity(), 0);
    }

    /// However a stream is cut, what is held between two receives follows what waits there.
    #[test]
    fn what_is_held_follows_what_waits() {
        let stream: Vec<u8> = (1..300_u32)
            .flat_map(|line| {
                vec![if line % 7 == 0 { b'x' } else { b'\n' }; line as usize]
            })
            .collect();
        for size in [1, 100, 4096, 65_536] {
            let mut unread = Unread::default();
            for piece in stream.chunks(size) {
                unread.add(piece);
                while unread.line().unwrap().is_some() {}
                let (held, waits) = (unread.bytes.capacity(), unread.bytes.len());
                assert!(held <= 4 * waits + 16, "{held} for {waits}");
            }
        }
    }

    /// Not for each line: where many lines are read, each would have to be moved.
    #[test]
    fn memory_is_given_back_when_a_quarter_is_left() {
        let mut unread = Unread::default();
        unread.add(&b"12345678\n".repeat(100));
        let capacity = unread.bytes.capacity();
        while unread.bytes.len() > capacity / 4 + 9 {
            unread.line().unwrap();
            assert_eq!(unread.bytes.capacity(), capacity);
        }
        unread.line().unwrap();
        assert_eq!(unread.bytes.capacity(), 2 * unread.bytes.len());
    }

    #[test]
    fn the_longest_line_has_two_mebibytes() {
        let mut unread = Unread::default();
        unread.add(&[b'x'; 2_097_152]);
        assert_eq!(unread.line().unwrap(), None);
        unread.add(b"\n");
        assert_eq!(unread.line().unwrap().map(|line| line.len()), Some(2_097_153));
        unread.add(&[b'x'; 2_097_153]);
        assert_eq!(unread.line().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
