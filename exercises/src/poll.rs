//! `poll(2)`, behind an interface that cannot be misused. Its list has no limit of 1,024: it names
//! each descriptor by its number.

#![expect(unsafe_code, reason = "a thin wrapper around a system call")]

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::time::Duration;

pub use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT, pollfd as PollFd};

/// Sleeps until a descriptor of the list is ready, or for `timeout`; `None` waits for ever. In
/// each entry, `revents` then says what it is ready for. Returns how many are. A signal ends the
/// wait like a time-out.
///
/// # Errors
///
/// Those of `poll(2)`, except for `EINTR`; and `InvalidInput` if a descriptor has two entries.
pub fn poll(list: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    let mut seen = BTreeSet::new();
    if let Some(entry) = list.iter().find(|entry| !seen.insert(entry.fd)) {
        let fd = entry.fd;
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            format!(
                "the list names descriptor {fd} twice. Make one entry for each descriptor"
            ),
        ));
    }
    // To whole milliseconds, upwards: or the last one would be a busy loop.
    let timeout = timeout.map_or(-1, |timeout| {
        let millis = timeout.as_nanos().div_ceil(1_000_000);
        i32::try_from(millis).unwrap_or(i32::MAX)
    });
    let len = list.len() as libc::nfds_t;
    // SAFETY: the pointer and the length are those of a slice that is ours alone until the call
    // returns; the kernel reads and writes within it.
    let ready = unsafe { libc::poll(list.as_mut_ptr(), len, timeout) };
    if ready >= 0 {
        return Ok(ready as usize);
    }
    list.iter_mut().for_each(|entry| entry.revents = 0);
    match io::Error::last_os_error() {
        error if error.kind() == ErrorKind::Interrupted => Ok(0),
        error => Err(error),
    }
}
