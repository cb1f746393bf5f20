//! The buffer that a handler lends to its reads.

use std::ops::{Deref, DerefMut};

use crate::buffer::RECEIVE_SIZE;

// ANCHOR: buffer
/// What an idle connection holds.
pub const SMALLEST: usize = 1024;

/// How much larger the next size is.
const STEP: usize = 4;

/// So many small messages in a row, and the buffer becomes small, too.
const PATIENCE: u8 = 16;

/// A buffer whose size follows what comes: 1, 4 or 16 KiB, or what one receive takes at most.
///
/// A read borrows its buffer for as long as it waits, so each connection needs one of its own, and
/// keeps it while nothing comes. It must be small then. But where much comes, it must be large,
/// because a system call costs about the same for 1 KiB as for 64.
///
/// It is zeroed when it changes its size, not for each read.
#[derive(Debug)]
pub struct ReadBuffer {
    memory: Vec<u8>,
    small_messages: u8,
}

impl ReadBuffer {
    /// A small one.
    pub fn new() -> ReadBuffer {
        ReadBuffer { memory: vec![0; SMALLEST], small_messages: 0 }
    }

    /// Grows after a read that filled it, and shrinks when most of it has not been needed for a
    /// while. What it holds is lost, if it does.
    #[inline]
    pub fn adapt_to(&mut self, received: usize) {
        let size = self.memory.len();
        if received == size || size > SMALLEST {
            self.grow_or_shrink(received);
        }
    }

    /// Not on the way of a short message.
    #[cold]
    fn grow_or_shrink(&mut self, received: usize) {
        let size = self.memory.len();
        if received == size {
            self.small_messages = 0;
            return self.resize((size * STEP).min(RECEIVE_SIZE));
        }
        let smaller = size.next_power_of_two() / STEP; // the largest is no power of two
        self.small_messages =
            if received < smaller { self.small_messages + 1 } else { 0 };
        if self.small_messages == PATIENCE {
            self.small_messages = 0;
            self.resize(smaller);
        }
    }

    #[cold]
    fn resize(&mut self, size: usize) {
        if size != self.memory.len() {
            self.memory = Vec::new(); // before the next one: both at once are not needed
            self.memory = vec![0; size];
        }
    }
}
// ANCHOR_END: buffer

// ANCHOR: slice
impl Default for ReadBuffer {
    fn default() -> ReadBuffer {
        ReadBuffer::new()
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
// ANCHOR_END: slice

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_while_reads_fill_it() {
        let mut buffer = ReadBuffer::new();
        for size in [1024, 4096, 16 * 1024, RECEIVE_SIZE, RECEIVE_SIZE] {
            assert_eq!(buffer.len(), size);
            buffer.adapt_to(size);
        }
        assert_eq!(buffer.len(), RECEIVE_SIZE);
    }

    #[test]
    fn it_shrinks_when_messages_stay_small() {
        let mut buffer = ReadBuffer::new();
        for size in [1024, 4096, 16 * 1024] {
            buffer.adapt_to(size);
        }
        for size in [RECEIVE_SIZE, 16 * 1024, 4096] {
            assert_eq!(buffer.len(), size);
            (0..PATIENCE).for_each(|_| buffer.adapt_to(1));
        }
        assert_eq!(buffer.len(), 1024);
        buffer.adapt_to(1024);
        for _ in 0..3 {
            (1..PATIENCE).for_each(|_| buffer.adapt_to(1023));
            buffer.adapt_to(1024); // one that is not small: it starts anew
        }
        assert_eq!(buffer.len(), 4096);
        (0..PATIENCE).for_each(|_| buffer.adapt_to(1023));
        assert_eq!(buffer.len(), 1024);
        (0..3 * PATIENCE).for_each(|_| buffer.adapt_to(1));
        assert_eq!(buffer.len(), 1024);
    }

    #[test]
    fn messages_that_fill_it_do_not_make_it_shrink() {
        let mut buffer = ReadBuffer::new();
        for _ in 0..100 {
            let message = 16 * 1024;
            let received = message.min(buffer.len());
            buffer.adapt_to(received);
        }
        assert_eq!(buffer.len(), RECEIVE_SIZE);
    }
}
