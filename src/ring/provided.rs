//! Buffers that are provided: the kernel takes one at the moment in which bytes are there.
//!
//! A receive that waits for an hour must not keep a buffer for an hour. So receives are
//! submitted without one. The buffers lie in a ring that the kernel shares with us: we put them
//! in at the tail, the kernel takes them from the head, and says in the completion which it has
//! taken.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::operation::Group;
use crate::buffer::{Block, Buffer, Buffers, SMALL};

// ANCHOR: provided
/// A group of blocks of one size, lent to the kernel until it has filled them. It grows when they
/// are too few.
#[derive(Debug)]
pub struct Provided {
    /// How large each block is.
    pub size: usize,
    /// The ring: an array of `count` entries, which the kernel reads.
    entries: NonNull<BufRingEntry>,
    count: u16,
    tail: u16,
    /// Every block that is in the ring, found by its number. The kernel may write to it.
    blocks: Vec<Option<Box<Block>>>,
}
// ANCHOR_END: provided

// ANCHOR: new
impl Provided {
    /// Registers a group, with its first blocks. The most that it may have is a power of two, and
    /// no more than 32,768.
    ///
    /// # Errors
    ///
    /// If there is no memory, or the kernel is too old (before 5.19).
    pub fn new(
        ring: &IoUring,
        group: Group,
        buffers: &mut Buffers,
    ) -> io::Result<Provided> {
        let Group { number, size, first, most: count } = group;
        assert!(count.is_power_of_two() && count <= 1 << 15);
        let (tail, blocks, layout) = (0, Vec::new(), layout(count));
        // SAFETY: The layout's size is not zero.
        let entries = unsafe { alloc_zeroed(layout) };
        let Some(entries) = NonNull::new(entries.cast()) else {
            handle_alloc_error(layout)
        };
        let mut provided = Provided { size, entries, count, tail, blocks };
        let address = entries.as_ptr() as u64;
        // SAFETY: `entries` has been allocated for `count` entries, starts at a page, and is
        // zeroed, which is an empty ring. It is never freed while the kernel uses it: see
        // `free`.
        let registered = unsafe {
            ring.submitter().register_buf_ring_with_flags(address, count, number, 0)
        };
        if let Err(error) = registered {
            // SAFETY: The kernel has refused the ring, so it does not use it.
            unsafe { provided.free() };
            return Err(error);
        }
        for _ in 0..first {
            provided.grow(buffers)?;
        }
        Ok(provided)
    }
    // ANCHOR_END: new

    // ANCHOR: grow
    /// One more block, unless there are as many as there may be.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub fn grow(&mut self, buffers: &mut Buffers) -> io::Result<()> {
        let number = self.blocks.len() as u16;
        if number < self.count {
            let block = buffers.block(self.size)?;
            self.blocks.push(None);
            self.provide(number, block);
        }
        Ok(())
    }
    // ANCHOR_END: grow

    // ANCHOR: provide
    /// Puts a block into the ring, under a number that is not in it.
    fn provide(&mut self, number: u16, mut block: Box<Block>) {
        let memory = block.memory();
        let place = self.tail & (self.count - 1);
        // SAFETY: `place` is below `count`, so it lies in what `entries` was allocated for.
        let mut entry = unsafe { self.entries.add(place.into()) };
        // SAFETY: It is initialised, and lives as long as the ring. Nobody else uses it: the
        // kernel does not look at an entry before the tail is moved over it, and it has taken
        // what was here before, or that number would still be in the ring.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(memory.as_mut_ptr() as u64);
        entry.set_len(memory.len() as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        let was = self.blocks[usize::from(number)].replace(block);
        debug_assert!(was.is_none(), "provided twice");
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
        // "Release": whoever sees the new tail sees the entry, too.
        tail.store(self.tail, Ordering::Release);
    }
    // ANCHOR_END: publish

    // ANCHOR: claim
    /// The kernel has filled the first `len` bytes of a block: these, as a buffer. Another block
    /// takes its place.
    ///
    /// # Errors
    ///
    /// If there is no memory for that; the bytes are lost.
    ///
    /// # Safety
    ///
    /// A completion must have said so, just now: the kernel no longer writes to this block.
    pub unsafe fn claim(
        &mut self,
        number: u16,
        len: usize,
        buffers: &mut Buffers,
    ) -> io::Result<Buffer> {
        let Some(mut block) = self.blocks[usize::from(number)].take() else {
            return Err(io::Error::other("the kernel has filled an unknown buffer"));
        };
        let claimed = match len {
            0 => Ok(Buffer::default()),
            1..=SMALL if self.size > SMALL => buffers.copy(&block.memory()[..len]),
            _ => buffers.block(self.size).map(|empty| {
                let full = std::mem::replace(&mut block, empty);
                Buffer::filled(full, len)
            }),
        };
        self.provide(number, block);
        claimed
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
        // SAFETY: It was allocated with this layout, and by the promise of the caller nobody
        // uses it any more. (The blocks are freed when `self` is dropped.)
        unsafe { std::alloc::dealloc(self.entries.as_ptr().cast(), layout(self.count)) };
    }
}

/// The system wants such a ring to start at a page. Pages have 4 KiB on most machines, and up to
/// 64 on some with ARM processors.
const PAGE: usize = 64 * 1024;

fn layout(count: u16) -> Layout {
    let size = usize::from(count) * size_of::<BufRingEntry>();
    Layout::from_size_align(size, PAGE).expect("at most half a megabyte")
}
// ANCHOR_END: free
