//! A set of descriptors, one bit for each, that cannot be written past its end.
//!
//! The page of this exercise: chapters/exercises/03_fd_set.md

use std::io;
use std::os::fd::RawFd;

/// The number of descriptors that a set has room for: 0 to 1,023.
pub const FD_SETSIZE: usize = 1024;

const WORD_BITS: usize = u64::BITS as usize;

/// A set of descriptors: one bit for each.
#[derive(Clone, Debug, Default)]
pub struct FdSet {
    words: [u64; FD_SETSIZE / WORD_BITS],
}

/// Where the bit of `fd` is, if it has one: the word's index, and a word with only that bit.
fn place(fd: RawFd) -> Option<(usize, u64)> {
    todo!("the place of the bit; None for what has no place")
}

impl FdSet {
    /// The empty set.
    pub fn new() -> FdSet {
        FdSet::default()
    }

    /// Puts `fd` into the set.
    ///
    /// # Errors
    ///
    /// If the set has no bit for it; the set is then as it was.
    pub fn insert(&mut self, fd: RawFd) -> io::Result<()> {
        todo!("set the bit, or say why not")
    }

    /// Takes `fd` out of the set, if it is there.
    pub fn remove(&mut self, fd: RawFd) {
        todo!("clear the bit")
    }

    /// Whether `fd` is in the set.
    pub fn contains(&self, fd: RawFd) -> bool {
        todo!("look at the bit")
    }

    /// The descriptors in the set, in ascending order.
    pub fn descriptors(&self) -> Vec<RawFd> {
        todo!("list the descriptors")
    }
}
