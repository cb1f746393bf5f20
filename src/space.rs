//! Memory for received bytes.
//!
//! A receive may bring nearly 64 KiB, but most messages are short, and most connections idle. So
//! no connection holds memory while it waits. A receive takes a block from its driver's
//! [`Space`]. A short message is copied out, and the block stays. A long one leaves with the
//! block, and when it has been sent, the block comes back.
//!
//! Without this, the allocator would give each long message's memory back to the system and get
//! it again for the next one: an echo of 16 KiB took twice as long.

use std::io;

/// How many bytes one receive takes at most: as many as one packet carries between two programs
/// on the same machine, which is a little less than 64 KiB.
///
/// What has been received is sent on, and that goes in packets. One on `lo` has 65,536 bytes
/// at most, of which IPv6, TCP and the time stamps take 72. A send of all 64 KiB needs two
/// packets, and the second costs as much as the first, for 72 bytes.
pub const RECEIVE_SIZE: usize = 65_464;

/// A message of fewer bytes is copied.
const LONG: usize = 4096;

/// How many blocks are kept at most: 4 MiB.
const SPARE: usize = 64;

/// Blocks of memory that no message uses at the moment. They are never cleared.
#[derive(Debug, Default)]
pub struct Space {
    blocks: Vec<Vec<u8>>,
}

impl Space {
    /// An empty block, with room for [`RECEIVE_SIZE`] bytes.
    ///
    /// # Errors
    ///
    /// If there is no memory.
    pub fn take(&mut self) -> io::Result<Vec<u8>> {
        let mut block = self.blocks.pop().unwrap_or_default();
        block.try_reserve_exact(RECEIVE_SIZE).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(block)
    }

    /// The message that a block has been filled with.
    pub fn message(&mut self, block: Vec<u8>) -> Vec<u8> {
        if block.len() >= LONG {
            return block;
        }
        let message = block.to_vec();
        self.give_back(block);
        message
    }

    /// A message is no longer needed. If it had left with a block, that block is used again.
    pub fn give_back(&mut self, mut bytes: Vec<u8>) {
        // Other bytes, such as a long line, have another capacity: they are given back.
        if bytes.capacity() == RECEIVE_SIZE && self.blocks.len() < SPARE {
            bytes.clear();
            self.blocks.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(space: &mut Space, bytes: &[u8]) -> Vec<u8> {
        let mut block = space.take().unwrap();
        block.extend_from_slice(bytes);
        space.message(block)
    }

    #[test]
    fn a_short_message_leaves_the_block_behind() {
        let mut space = Space::default();
        let message = received(&mut space, b"hello");
        assert_eq!((&message[..], message.capacity()), (&b"hello"[..], 5));
        assert_eq!(space.blocks.len(), 1);
        space.give_back(message);
        assert_eq!(space.blocks.len(), 1);
    }

    #[test]
    fn a_long_message_takes_the_block_and_brings_it_back() {
        let mut space = Space::default();
        let message = received(&mut space, &[7; LONG]);
        assert_eq!((&message[..], space.blocks.len()), (&[7; LONG][..], 0));
        space.give_back(message);
        assert_eq!(space.blocks.len(), 1);
        assert_eq!(received(&mut space, b"again"), b"again");
    }

    #[test]
    fn only_blocks_are_kept() {
        let mut space = Space::default();
        space.give_back(Vec::with_capacity(2 * RECEIVE_SIZE));
        space.give_back(vec![]);
        assert!(space.blocks.is_empty());
        assert_eq!(space.take().unwrap().capacity(), RECEIVE_SIZE);
    }

    #[test]
    fn no_more_blocks_are_kept_than_agreed() {
        let mut space = Space::default();
        let all: Vec<_> = (0..SPARE + 1).map(|_| space.take().unwrap()).collect();
        all.into_iter().for_each(|block| space.give_back(block));
        assert_eq!(space.blocks.len(), SPARE);
    }
}
