//! Lines out of a stream of bytes, as a buffered reader.

use std::io;

use super::System;
use super::buffer::ReadBuffer;
use super::net::Stream;
use crate::lines::Unread;
use crate::poller::Poller;

// ANCHOR: reader
/// Reads lines from a stream. It borrows the stream: who writes the answers can do so beside it.
#[derive(Debug)]
pub struct BufReader<'a, P: Poller = System> {
    stream: &'a Stream<P>,
    buffer: ReadBuffer,
    unread: Unread,
}

impl<'a, P: Poller> BufReader<'a, P> {
    /// A reader that has read nothing yet.
    pub fn new(stream: &'a Stream<P>) -> BufReader<'a, P> {
        BufReader { stream, buffer: ReadBuffer::new(), unread: Unread::default() }
    }

    /// The next line, with its newline; the last may have none. `None` is the end of input.
    /// Dropped before it is ready, it has lost nothing: the next call goes on.
    ///
    /// # Errors
    ///
    /// Those of the read, or `InvalidData` for a line longer than
    /// [`MAX_LINE`](crate::lines::MAX_LINE).
    pub async fn read_line(&mut self) -> io::Result<Option<&[u8]>> {
        let BufReader { stream, buffer, unread } = self;
        let end = loop {
            if let Some(end) = unread.line()? {
                break end;
            }
            unread.forget();
            let count = stream.read(buffer).await?;
            if count == 0 {
                break unread.end();
            }
            unread.add(&buffer[..count]);
            buffer.adapt_to(count);
        };
        Ok(unread.take(end))
    }
}
// ANCHOR_END: reader
