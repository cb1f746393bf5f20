//! `select(2)`, behind an interface that cannot be misused.
//!
//! `select` is given sets of descriptors, puts the thread to sleep until at least one of them is
//! ready, and leaves the ready ones in the sets. A set is 1,024 bits, one for each descriptor,
//! and that is a promise about memory: in C, `FD_SET(1024, &set)` writes behind the set's end.
//! [`FdSet::insert`] refuses such a descriptor instead.
//!
//! This file knows descriptors, not sockets. The poller of stage 04, which does, is in
//! `select/poller.rs`.

pub mod poller;

use std::fmt;
use std::io;
use std::iter;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

pub use poller::Select;

/// The number of descriptors that a set has room for: 0 to 1,023.
pub const FD_SETSIZE: usize = libc::FD_SETSIZE;

/// The set as the system sees it is an array of these; so `libc::fd_set` is, but its fields are
/// private, and we want to look at many bits at once.
type Word = libc::c_ulong;
const WORD_BITS: usize = Word::BITS as usize;
const WORDS: usize = FD_SETSIZE / WORD_BITS;
type Words = [Word; WORDS];

// What the system will write to is exactly what we own, and as aligned as it expects. (Where
// its words are narrower than ours, as on macOS, the bits still lie in the same order, because
// the machine is little-endian.)
const _: () = assert!(size_of::<Words>() == size_of::<libc::fd_set>());
const _: () = assert!(align_of::<Words>() >= align_of::<libc::fd_set>());
const _: () = assert!(cfg!(target_os = "linux") || cfg!(target_endian = "little"));

// ANCHOR: fdset
/// A set of descriptors: one bit for each.
#[derive(Clone, Default)]
pub struct FdSet {
    words: Words,
}
// ANCHOR_END: fdset

impl FdSet {
    /// The empty set.
    pub fn new() -> FdSet {
        FdSet::default()
    }

    // ANCHOR: insert
    /// Puts `fd` into the set.
    ///
    /// # Errors
    ///
    /// If the set has no bit for it: it is negative, or 1,024 or more.
    pub fn insert(&mut self, fd: RawFd) -> io::Result<()> {
        let (word, bit) = place(fd).ok_or_else(|| does_not_fit(fd))?;
        self.words[word] |= bit;
        Ok(())
    }
    // ANCHOR_END: insert

    /// Takes `fd` out of the set, if it is there.
    pub fn remove(&mut self, fd: RawFd) {
        if let Some((word, bit)) = place(fd) {
            self.words[word] &= !bit;
        }
    }

    /// Whether `fd` is in the set.
    pub fn contains(&self, fd: RawFd) -> bool {
        place(fd).is_some_and(|(word, bit)| self.words[word] & bit != 0)
    }

    /// The descriptors in the set, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = RawFd> {
        let words = self.words[..self.bound() / WORD_BITS].iter();
        let words = words.zip((0..).step_by(WORD_BITS));
        words.flat_map(|(word, first)| bits(*word).map(move |bit| first + bit))
    }

    /// No bit is set from this one on: what `select(2)` calls `nfds`, to whole words.
    fn bound(&self) -> usize {
        let last = self.words.iter().rposition(|word| *word != 0);
        last.map_or(0, |word| (word + 1) * WORD_BITS)
    }
}

/// The bits that are set in `word`.
fn bits(mut word: Word) -> impl Iterator<Item = RawFd> {
    iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as RawFd)?;
        word &= word - 1; // clears it
        Some(lowest)
    })
}

fn does_not_fit(fd: RawFd) -> io::Error {
    io::Error::other(format!(
        "descriptor {fd} is refused: select can watch 0 to {} only \
         (serve fewer clients at once, or start it with fewer descriptors open)",
        FD_SETSIZE - 1
    ))
}

// ANCHOR: place
/// Where the bit of `fd` is, if it has one: the word's index, and the word with that bit.
fn place(fd: RawFd) -> Option<(usize, Word)> {
    let fd = usize::try_from(fd).ok().filter(|&fd| fd < FD_SETSIZE)?;
    Some((fd / WORD_BITS, 1 << (fd % WORD_BITS)))
}
// ANCHOR_END: place

impl fmt::Debug for FdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Sleeps until a descriptor in `read` can be read from (data, end of input, a client to
/// accept, or an error to collect) or one in `write` can be written to; then leaves in the two
/// sets those that are ready, and returns how many they are. `None` waits for ever; a time-out
/// leaves the sets empty and returns 0.
///
/// A signal handler that runs in the meantime ends the wait with `EINTR`; nothing is ready then,
/// and it looks like a time-out: the caller looks at the clock anyway.
///
/// # Errors
///
/// `EBADF` if a descriptor in a set is not open. The sets are left empty. (Linux notices that
/// only for descriptors below the highest that the process has ever had; others it ignores.)
// ANCHOR: select
pub fn select(
    read: &mut FdSet,
    write: &mut FdSet,
    timeout: Option<Duration>,
) -> io::Result<usize> {
    // The highest descriptor plus 1, to whole words: the system looks at no bit above.
    let nfds = read.bound().max(write.bound());
    let mut timeout = timeout.map(timeval);
    let timeout = timeout.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // The sets have the size of an `fd_set` and are aligned for it (asserted above), and every bit
    // pattern is valid in both. `nfds` is at most WORDS * WORD_BITS = FD_SETSIZE, so the system
    // touches nothing behind them. A null set means none, a null time-out for ever.
    // SAFETY: `read` and `write` are exclusive borrows, so their words are valid for reads and
    // writes during the call and do not overlap. `timeout` is null, or points to a `timeval` that
    // outlives the call. The system keeps none of these pointers.
    let count = unsafe {
        libc::select(
            nfds as libc::c_int,
            ptr::from_mut(&mut read.words).cast(),
            ptr::from_mut(&mut write.words).cast(),
            ptr::null_mut(),
            timeout,
        )
    };
    if count >= 0 {
        return Ok(count as usize);
    }
    let error = io::Error::last_os_error();
    // The sets hold what they held before, or anything: make that nothing.
    (*read, *write) = (FdSet::new(), FdSet::new());
    if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) }
}
// ANCHOR_END: select

/// Rounded up, never down: a wait that ends 0.3 µs too early finds that it is not yet time, and is
/// begun again and again. No more than a year at once, because some systems refuse large numbers.
fn timeval(timeout: Duration) -> libc::timeval {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let micros = timeout.min(YEAR).as_nanos().div_ceil(1000);
    libc::timeval {
        tv_sec: (micros / 1_000_000) as libc::time_t,
        tv_usec: (micros % 1_000_000) as libc::suseconds_t,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_rounded_up() {
        let parts = |timeout| {
            let t = timeval(timeout);
            (t.tv_sec, t.tv_usec)
        };
        assert_eq!(parts(Duration::ZERO), (0, 0));
        assert_eq!(parts(Duration::from_nanos(1)), (0, 1));
        assert_eq!(parts(Duration::from_nanos(999_999_999)), (1, 0));
        assert_eq!(parts(Duration::from_micros(2_000_003)), (2, 3));
        assert_eq!(parts(Duration::MAX), (31_536_000, 0));
    }

    #[test]
    fn the_bits_lie_where_the_system_looks_for_them() {
        for fd in 0..FD_SETSIZE as RawFd {
            let mut ours = FdSet::new();
            ours.insert(fd).unwrap();
            let theirs: *const libc::fd_set = ptr::from_ref(&ours.words).cast();
            for other in 0..FD_SETSIZE as RawFd {
                // SAFETY: `theirs` points to the words of a live `FdSet`, as large and as
                // aligned as an `fd_set` (asserted above), and `other` is below FD_SETSIZE.
                let set = unsafe { libc::FD_ISSET(other, theirs) };
                assert_eq!(set, fd == other, "{fd} {other}");
            }
        }
    }
}
