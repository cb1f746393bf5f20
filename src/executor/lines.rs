//! Lines out of a stream of bytes, as a buffered reader.

use std::io;
use std::panic::Location;

use super::buffer::ReadBuffer;
use super::net::Stream;
use crate::scheduler::lines::Unread;

/// Reads lines from a stream. It borrows the stream, so that answers can be written beside it.
pub struct BufReader<'a> {
    stream: &'a Stream,
    buffer: ReadBuffer,
    unread: Unread,
}

impl<'a> BufReader<'a> {
    /// A reader that has read nothing yet.
    pub fn new(stream: &'a Stream) -> BufReader<'a> {
        BufReader { stream, buffer: ReadBuffer::new(), unread: Unread::default() }
    }

    /// The next line, with its newline; the last may have none. No bytes at all are the end of
    /// input. Dropped before it is ready, it has lost nothing: the next call goes on.
    ///
    /// # Errors
    ///
    /// Those of the read, or `InvalidData` for a line longer than
    /// [`MAX_LINE`](crate::scheduler::lines::MAX_LINE).
    #[track_caller]
    pub fn read_line(&mut self) -> impl Future<Output = io::Result<Vec<u8>>> {
        let at = Location::caller();
        let BufReader { stream, buffer, unread } = self;
        async move {
            loop {
                if let Some(line) = unread.line()? {
                    return Ok(line);
                }
                let count = stream.receive(buffer, at).await?;
                if count == 0 {
                    return Ok(unread.rest());
                }
                unread.add(&buffer[..count]);
                buffer.adapt_to(count);
            }
        }
    }
}
