//! Received bytes, and where their memory comes from.
//!
//! A receive may bring nearly 64 KiB, and there may be a thousand connections; most of them are
//! idle, and most messages are short. So nobody holds so large a block while it waits: it is
//! taken from [`Buffers`] at the moment in which bytes are there, a short message is copied out
//! of it, and a long one leaves with the block itself, which comes back when it has been sent.
//! (A task that drops a long buffer instead drops its block, and the next long message gets a new
//! one.) A block is zeroed once, when it is made, and never again.

use std::fmt;
use std::io;
use std::ops::Deref;

// ANCHOR: sizes
/// How many bytes one receive takes at most: as many as one packet carries between two programs
/// on the same machine, which is a little less than 64 KiB.
///
/// Each system call costs about the same whether it moves 4 KiB or 64, so bulk wants few calls.
/// But what has been received is sent on, and that goes in packets. One on `lo` has 65,536 bytes
/// at most, of which IPv6, TCP and the time stamps take 72. A send of all 64 KiB needs two
/// packets then, and the way of the second through the kernel, for 72 bytes, is as long as that
/// of the first.
pub const RECEIVE_SIZE: usize = 65_464;

/// Up to here a message is copied to a small block, which costs less than to keep a large one
/// away from others.
pub(crate) const SMALL: usize = 1024;

/// How many large blocks are kept for later (4 MiB in all).
const SPARE_LARGE: usize = 64;

/// How many small ones (1 MiB in all): one for each result of a busy round.
const SPARE_SMALL: usize = 1024;
// ANCHOR_END: sizes

// ANCHOR: buffer
/// Bytes that somebody owns: what was received, or what is still to be sent.
///
/// It reads as `&[u8]`. Nothing is borrowed, so a task can hold it across a wait, and an
/// operation that is under way can hold it after the task is gone. It is one pointer wide,
/// because it travels a lot: from the event to the ready queue, into the task, and back.
#[derive(Default)]
pub struct Buffer(Option<Box<Block>>);

/// Memory, and which part of it counts.
#[derive(Debug)]
pub(crate) struct Block {
    memory: Vec<u8>,
    start: usize,
    end: usize,
}
// ANCHOR_END: buffer

// ANCHOR: block
impl Block {
    fn new(memory: Vec<u8>) -> Box<Block> {
        Box::new(Block { start: 0, end: memory.len(), memory })
    }

    /// A block of zeros; an error, instead of the end of the process, if there is no memory.
    #[cold]
    fn empty(size: usize) -> io::Result<Box<Block>> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        memory.resize(size, 0);
        Ok(Block::new(memory))
    }

    /// All of its memory, to be filled. It stays where it is when the block is moved.
    pub(crate) fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
// ANCHOR_END: block

// ANCHOR: bytes
impl Buffer {
    /// The first `len` bytes of a block.
    pub(crate) fn filled(mut block: Box<Block>, len: usize) -> Buffer {
        assert!(len <= block.memory.len(), "more bytes than there was room for");
        (block.start, block.end) = (0, len);
        Buffer(Some(block))
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |block| block.end - block.start)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes have been taken off its front.
    pub fn taken(&self) -> usize {
        self.0.as_ref().map_or(0, |block| block.start)
    }

    /// Takes `count` bytes off its front: they have been sent.
    ///
    /// # Panics
    ///
    /// If it has not so many.
    pub fn take_front(&mut self, count: usize) {
        assert!(count <= self.len(), "more bytes than there are");
        if let Some(block) = &mut self.0 {
            block.start += count;
        }
    }
}
// ANCHOR_END: bytes

// ANCHOR: conversions
impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |block| &block.memory[block.start..block.end])
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        Buffer(Some(Block::new(bytes)))
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Buffer {
        Buffer::from(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Buffer {
    fn from(bytes: &[u8; N]) -> Buffer {
        Buffer::from(bytes.to_vec())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer(\"{}\")", self.escape_ascii())
    }
}
// ANCHOR_END: conversions

// ANCHOR: buffers
/// The blocks that nobody is using at the moment. Each scheduler has one of these.
#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "a block keeps its box: it leaves as a buffer, at once"
)]
pub struct Buffers {
    large: Vec<Box<Block>>,
    small: Vec<Box<Block>>,
}
// ANCHOR_END: buffers

// ANCHOR: fill
impl Buffers {
    /// Lends a block of [`RECEIVE_SIZE`] bytes to `read`, which says how many it has filled, and
    /// returns those as a buffer.
    ///
    /// # Errors
    ///
    /// Those of `read`, or `OutOfMemory`; the block is kept.
    ///
    /// # Panics
    ///
    /// If `read` claims to have filled more than it was lent.
    #[inline(always)]
    pub fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Buffer> {
        if self.large.is_empty() {
            self.large.push(Block::empty(RECEIVE_SIZE)?);
        }
        let large = self.large.last_mut().expect("one has just been made");
        let len = read(&mut large.memory)?;
        let block = match len {
            0 => return Ok(Buffer::default()),
            1..=SMALL => {
                let mut small = match self.small.pop() {
                    Some(small) => small,
                    None => Block::empty(SMALL)?,
                };
                small.memory[..len].copy_from_slice(&large.memory[..len]);
                small
            }
            _ => self.large.pop().expect("it was there a moment ago"),
        };
        Ok(Buffer::filled(block, len))
    }

    /// A block of `size` bytes, for somebody who fills it by other means.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "stage 07 only"))]
    pub(crate) fn block(&mut self, size: usize) -> io::Result<Box<Block>> {
        let spare = match size {
            SMALL => self.small.pop(),
            RECEIVE_SIZE => self.large.pop(),
            _ => None,
        };
        spare.map_or_else(|| Block::empty(size), Ok)
    }

    /// A short message, copied: at most [`SMALL`] bytes.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "stage 07 only"))]
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> io::Result<Buffer> {
        let mut small = self.block(SMALL)?;
        small.memory[..bytes.len()].copy_from_slice(bytes);
        Ok(Buffer::filled(small, bytes.len()))
    }

    /// Takes back a buffer that nobody needs any more; its block will serve again.
    #[inline(always)]
    pub fn recycle(&mut self, buffer: Buffer) {
        let Some(block) = buffer.0 else { return };
        let (spare, most) = match block.memory.len() {
            SMALL => (&mut self.small, SPARE_SMALL),
            RECEIVE_SIZE => (&mut self.large, SPARE_LARGE),
            _ => return,
        };
        if spare.len() < most {
            spare.push(block);
        }
    }
}
// ANCHOR_END: fill

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
    fn a_short_message_leaves_the_large_block_behind() {
        let mut buffers = Buffers::default();
        let short = fill(&mut buffers, b"hello");
        assert_eq!(&*short, b"hello");
        assert_eq!(buffers.large.len(), 1);
        buffers.recycle(short);
        assert_eq!(buffers.small.len(), 1);
    }

    #[test]
    fn a_long_message_takes_the_block_and_brings_it_back() {
        let mut buffers = Buffers::default();
        let sent = [7; SMALL + 1];
        let mut long = fill(&mut buffers, &sent);
        assert_eq!(*long, sent);
        assert!(buffers.large.is_empty());
        long.take_front(SMALL);
        assert_eq!((&*long, long.taken()), (&[7][..], SMALL));
        buffers.recycle(long);
        assert_eq!(buffers.large.len(), 1);
        assert_eq!(&*fill(&mut buffers, b"again"), b"again");
    }

    #[test]
    fn an_error_keeps_the_block() {
        let mut buffers = Buffers::default();
        let error = buffers.fill(|_| Err(io::ErrorKind::WouldBlock.into())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(buffers.large.len(), 1);
    }

    #[test]
    fn only_so_many_blocks_are_kept() {
        let mut buffers = Buffers::default();
        for _ in 0..SPARE_LARGE + 5 {
            buffers.recycle(Buffer::from(vec![0; RECEIVE_SIZE]));
        }
        for _ in 0..SPARE_SMALL + 5 {
            buffers.recycle(Buffer::from(vec![0; SMALL]));
        }
        assert_eq!(buffers.large.len(), SPARE_LARGE);
        assert_eq!(buffers.small.len(), SPARE_SMALL);
    }

    /// A receive would be lent too little, or too much memory would be kept.
    #[test]
    fn only_blocks_of_the_two_sizes_are_kept() {
        let mut buffers = Buffers::default();
        for size in [1, SMALL - 1, SMALL + 1, RECEIVE_SIZE - 1, 2 * RECEIVE_SIZE] {
            buffers.recycle(Buffer::from(vec![0; size]));
        }
        assert!(buffers.large.is_empty() && buffers.small.is_empty());
    }

    /// Otherwise each full echo would need a second packet, for the few bytes that are left.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_one_receive_brings_leaves_in_one_packet() {
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};

        let size = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap_or_default();
        if size.trim() != "65536" {
            let why = "packets of this machine's lo have another size";
            return drop(writeln!(io::stderr(), "skipped: {why}"));
        }
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(addr) else {
                let _ = writeln!(io::stderr(), "skipped: this machine has no {addr}");
                continue;
            };
            let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut ours, _) = listener.accept().unwrap();
            let packet = || socket2::SockRef::from(&theirs).tcp_mss().unwrap() as usize;
            // Packets grow with the window, and that grows while much is received.
            let mut received = vec![0; RECEIVE_SIZE];
            for _ in 0..10_000 {
                if packet() >= RECEIVE_SIZE {
                    break;
                }
                (&theirs).write_all(&received).unwrap();
                ours.read_exact(&mut received).unwrap();
            }
            assert!(packet() >= RECEIVE_SIZE, "{addr}: a packet carries {}", packet());
        }
    }

    #[test]
    fn it_reads_as_its_bytes() {
        assert!(Buffer::default().is_empty());
        assert_eq!(*Buffer::from(vec![1; 5000]), [1; 5000]);
        assert_eq!(format!("{:?}", Buffer::from(&b"a\n"[..])), r#"Buffer("a\n")"#);
    }
}
