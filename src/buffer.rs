//! Received bytes, and where their memory comes from.
//!
//! A receive may bring 64 KiB, and there may be a thousand connections; most of them are idle,
//! and most messages are short. So nobody holds a 64 KiB block while it waits: a block is taken
//! from [`Buffers`] at the moment in which bytes are there, a short message is copied out of it,
//! and a long one leaves with the block itself, which comes back when it has been sent.
//! A block is zeroed once, when it is made, and never again.

use std::fmt;
use std::io;
use std::ops::Deref;

/// How many bytes one receive takes at most.
///
/// Each system call costs about the same whether it moves 4 KiB or 64, so bulk wants few calls.
pub const RECEIVE_SIZE: usize = 64 * 1024;

/// Up to here a message is copied, which costs less than keeping a whole block away.
const COPY_LIMIT: usize = 4 * 1024;

/// How many blocks are kept for later (4 MiB); one for each result of a busy round.
const SPARE_BLOCKS: usize = 64;

/// Bytes that somebody owns: what was received, or what is to be sent.
///
/// It reads as `&[u8]`. Nothing is borrowed, so a task can hold it across a wait, and an
/// operation that is under way can hold it after the task is gone.
#[derive(Default)]
pub struct Buffer {
    /// May be longer than what was received: the rest of a block is kept as it is.
    storage: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// The same bytes as a `Vec`, without copying them.
    pub fn into_vec(self) -> Vec<u8> {
        let Buffer { mut storage, len } = self;
        storage.truncate(len);
        storage
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.storage[..self.len]
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(storage: Vec<u8>) -> Buffer {
        let len = storage.len();
        Buffer { storage, len }
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Buffer {
        Buffer::from(bytes.to_vec())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({:?})", self.escape_ascii().to_string())
    }
}

/// The blocks that nobody is using at the moment. Each scheduler has one of these.
#[derive(Debug, Default)]
pub struct Buffers {
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    /// Lends a block of [`RECEIVE_SIZE`] bytes to `read`, which says how many it has filled, and
    /// returns those as a buffer.
    ///
    /// # Errors
    ///
    /// Those of `read`; the block is kept.
    ///
    /// # Panics
    ///
    /// If `read` claims to have filled more than it was lent.
    pub fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Buffer> {
        let mut block = match self.spare.pop() {
            Some(block) => block,
            None => vec![0; RECEIVE_SIZE],
        };
        match read(&mut block) {
            Ok(len) if len > COPY_LIMIT => {
                assert!(len <= RECEIVE_SIZE, "more bytes than there was room for");
                Ok(Buffer { storage: block, len })
            }
            result => {
                let short = result.map(|len| Buffer::from(&block[..len]));
                self.spare.push(block);
                short
            }
        }
    }

    /// Takes back a buffer that nobody needs any more; its block will serve again.
    pub fn recycle(&mut self, buffer: Buffer) {
        if buffer.storage.len() == RECEIVE_SIZE && self.spare.len() < SPARE_BLOCKS {
            self.spare.push(buffer.storage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffers: &mut Buffers, bytes: &[u8]) -> Buffer {
        let read = |block: &mut [u8]| {
            block[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        };
        buffers.fill(read).unwrap()
    }

    #[test]
    fn a_short_message_leaves_the_block_behind() {
        let mut buffers = Buffers::default();
        let short = fill(&mut buffers, b"hello");
        assert_eq!(&*short, b"hello");
        assert_eq!(short.storage.capacity(), 5);
        assert_eq!(buffers.spare.len(), 1);
    }

    #[test]
    fn a_long_message_takes_the_block_and_brings_it_back() {
        let mut buffers = Buffers::default();
        let sent = [7; COPY_LIMIT + 1];
        let long = fill(&mut buffers, &sent);
        assert_eq!(*long, sent);
        assert!(buffers.spare.is_empty());
        buffers.recycle(long);
        assert_eq!(buffers.spare.len(), 1);
        assert_eq!(&*fill(&mut buffers, b"again"), b"again");
    }

    #[test]
    fn an_error_keeps_the_block() {
        let mut buffers = Buffers::default();
        let error = buffers.fill(|_| Err(io::ErrorKind::WouldBlock.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(buffers.spare.len(), 1);
    }

    #[test]
    fn only_so_many_blocks_are_kept() {
        let mut buffers = Buffers::default();
        for _ in 0..SPARE_BLOCKS + 5 {
            buffers.recycle(Buffer::from(vec![0; RECEIVE_SIZE]));
        }
        buffers.recycle(Buffer::from(&b"not a block"[..]));
        assert_eq!(buffers.spare.len(), SPARE_BLOCKS);
    }

    #[test]
    fn a_vec_comes_out_as_it_went_in() {
        let mut buffers = Buffers::default();
        assert_eq!(fill(&mut buffers, &[1; 5000]).into_vec(), vec![1; 5000]);
        assert_eq!(Buffer::from(b"a\n".to_vec()).into_vec(), b"a\n");
        assert_eq!(format!("{:?}", Buffer::from(&b"a\n"[..])), r#"Buffer("a\\n")"#);
    }
}
