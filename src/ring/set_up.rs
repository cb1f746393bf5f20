//! Setting up an `io_uring`, and what to say where that fails.

use std::io;

use io_uring::{Builder, IoUring};

// ANCHOR: set_up
/// How many submissions fit into the shared queue. If there are more in a round, they are handed
/// over in several system calls.
pub const SUBMISSIONS: u32 = 1024;

/// How many completions fit. If more come at once, the kernel keeps the others until we look.
const COMPLETIONS: u32 = 4096;

/// An `io_uring`, in the fastest way that this kernel knows.
pub fn set_up() -> io::Result<IoUring> {
    // One thread submits, and completions are worked on when it asks for them (Linux 6.1); or
    // at least without interrupting it (5.19). Older kernels have no rings of buffers.
    let deferred: fn(&mut Builder) -> &mut Builder =
        |ring| ring.setup_single_issuer().setup_defer_taskrun();
    let cooperative: fn(&mut Builder) -> &mut Builder = |ring| ring.setup_coop_taskrun();
    let mut refused = io::Error::from(io::ErrorKind::Unsupported);
    for way in [deferred, cooperative] {
        match way(IoUring::builder().setup_cqsize(COMPLETIONS)).build(SUBMISSIONS) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => refused = error,
            result => return result,
        }
    }
    Err(refused)
}
// ANCHOR_END: set_up

// ANCHOR: explained
/// Says what to do about a ring that cannot be set up.
pub fn explained(error: io::Error) -> io::Error {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "this system does not permit it: `sysctl kernel.io_uring_disabled` is not 0, or the \
             container that this runs in forbids it (Docker does, unless its seccomp profile \
             is changed)"
        }
        Some(libc::ENOSYS) => "this kernel has none: it needs Linux 6.1 or later",
        Some(libc::EINVAL) => "this kernel is too old: it needs Linux 6.1 or later",
        Some(libc::EMFILE | libc::ENFILE) => {
            "`ulimit -n` shows how many descriptors it may have; it needs about ten"
        }
        _ => "`ulimit -l` shows how much memory it may lock",
    };
    let why = format!(
        "cannot use io_uring: {error}\n{hint}\n05_epoll is the same server, and needs none of it"
    );
    io::Error::new(error.kind(), why)
}
// ANCHOR_END: explained
