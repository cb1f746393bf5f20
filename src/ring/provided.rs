//! Buffers that are provided: the kernel takes one at the moment in which bytes are there.
//!
//! A receive that waits for an hour must not keep a buffer for an hour. So receives are
//! submitted without one. The buffers lie in a ring that the kernel shares with us: we put them
//! in at the tail, the kernel takes them from the head, and says in the completion which it has
//! taken.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::mem;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use crate::space::{RECEIVE_SIZE, Space};

/// The number of the group.
pub const GROUP: u16 = 0;

/// How many blocks it has at first, and at most: a power of two, and no more than 32,768.
const FIRST: u16 = 4;
const MOST: u16 = 512;

// ANCHOR: provided
/// A group of blocks, lent to the kernel until it has filled them. It grows when they are too few.
#[derive(Debug)]
pub struct Provided {
    /// The ring: an array of `MOST` entries, which the kernel reads.
    entries: NonNull<BufRingEntry>,
    tail: u16,
    /// The blocks, found by their numbers, each with room for [`RECEIVE_SIZE`] bytes. The kernel
    /// may write to those that are in the ring.
    blocks: Vec<Vec<u8>>,
    /// The blocks that are not in the ring, and that no message uses.
    pub space: Space,
}
// ANCHOR_END: provided

impl Provided {
    // ANCHOR: new
    /// Registers a group, with its first blocks.
    ///
    /// # Errors
    ///
    /// If the kernel has no memory for it, or is too old (before 5.19).
    pub fn new(ring: &IoUring) -> io::Result<Provided> {
        // SAFETY: The layout's size is not zero.
        let entries = unsafe { alloc_zeroed(layout()) };
        let Some(entries) = NonNull::new(entries.cast()) else {
            handle_alloc_error(layout())
        };
        let mut provided =
            Provided { entries, tail: 0, blocks: Vec::new(), space: Space::default() };
        let address = entries.as_ptr() as u64;
        // SAFETY: `entries` has been allocated for `MOST` entries, starts at a page, and is
        // zeroed, which is an empty ring. It is never freed while the kernel uses it: see
        // `free`.
        let registered = unsafe {
            ring.submitter().register_buf_ring_with_flags(address, MOST, GROUP, 0)
        };
        if let Err(error) = registered {
            // SAFETY: The kernel has refused the ring, so it does not use it.
            unsafe { provided.free() };
            return Err(error);
        }
        (0..FIRST).for_each(|_| provided.grow());
        Ok(provided)
    }
    // ANCHOR_END: new

    /// How many blocks there are.
    #[cfg(test)]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    // ANCHOR: provide
    /// One more block, unless there are as many as there may be.
    pub fn grow(&mut self) {
        let number = self.blocks.len() as u16;
        if number < MOST {
            self.blocks.push(vec![]);
            self.provide(number);
        }
    }

    /// Puts a block into the ring, under a number that is not in it. Without memory for that, there
    /// is one fewer.
    fn provide(&mut self, number: u16) {
        let Ok(mut block) = self.space.take() else { return };
        let place = self.tail & (MOST - 1);
        // SAFETY: `place` is below `MOST`, so it lies in what `entries` was allocated for.
        let mut entry = unsafe { self.entries.add(place.into()) };
        // SAFETY: It is initialised, and lives as long as the ring. The kernel has taken the entry
        // that was here before: of `MOST` numbers, each is in the ring at most once, and this one
        // is not. It does not look at the new entry before the tail is moved over it.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(block.as_mut_ptr() as u64);
        entry.set_len(RECEIVE_SIZE as u32);
        entry.set_bid(number);
        self.blocks[usize::from(number)] = block;
        self.tail = self.tail.wrapping_add(1);
        self.publish();
    }
    // ANCHOR_END: provide

    // ANCHOR: publish
    /// Shows the kernel how far the ring is filled.
    fn publish(&mut self) {
        // SAFETY: `entries` points to the first entry of the ring, as this function asks.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: The tail lies in a part of the first entry that nothing else uses, is aligned
        // for a `u16`, and lives as long as the ring. The kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // "Release": a kernel that sees the new tail sees the entry, too.
        tail.store(self.tail, Ordering::Release);
    }
    // ANCHOR_END: publish

    // ANCHOR: claim
    /// The kernel has filled the first `result` bytes of a block, unless that is an error: these.
    /// The block (or, if a long message leaves with it, another one) goes back into the ring.
    ///
    /// # Safety
    ///
    /// A completion must have said so, just now: the kernel no longer writes to this block.
    pub unsafe fn claim(&mut self, number: u16, result: i32) -> Vec<u8> {
        let len = usize::try_from(result).unwrap_or(0);
        let mut block = mem::take(&mut self.blocks[usize::from(number)]);
        assert!(len <= block.capacity(), "the kernel has filled more than it was given");
        // SAFETY: The block has room for `len` bytes, and by the promise of the caller the kernel
        // has written them.
        unsafe { block.set_len(len) };
        let message = self.space.message(block);
        self.provide(number);
        message
    }
    // ANCHOR_END: claim

    // ANCHOR: free
    /// Gives the ring's memory back.
    ///
    /// # Safety
    ///
    /// The kernel must have given the ring up: no operation may be under way, and the group
    /// must have been unregistered.
    pub unsafe fn free(self) {
        // SAFETY: It was allocated with this layout, and by the promise of the caller the kernel
        // no longer uses it. (The blocks are freed when `self` is dropped.)
        unsafe { std::alloc::dealloc(self.entries.as_ptr().cast(), layout()) };
    }
    // ANCHOR_END: free
}

/// The system wants such a ring to start at a page. Pages have 4 KiB on most machines, and up to
/// 64 on some with ARM processors.
const PAGE: usize = 64 * 1024;

fn layout() -> Layout {
    let size = usize::from(MOST) * size_of::<BufRingEntry>();
    Layout::from_size_align(size, PAGE).expect("at most half a megabyte")
}
