//! How many descriptors the process may have: the *soft limit* is what the system enforces, and
//! a process may raise it by itself up to the *hard limit*.
//!
//! Shells start programs with a soft limit of often 1,024, because a descriptor that is larger
//! breaks programs that use `select`. Stages 05 to 07 do not use it, so they take what they can.

use std::io;

// ANCHOR: limit
/// Raises the soft limit on descriptors to the hard one, and returns the limit that then holds.
///
/// # Errors
///
/// Those of `getrlimit(2)`; none is known to happen. A system that refuses to raise the limit is
/// no error: the server then has room for fewer clients.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let old = descriptor_limit()?;
    let new = libc::rlimit { rlim_cur: old.rlim_max, ..old };
    // SAFETY: `new` is valid for reads during the call, and the system keeps no pointer to it.
    let refused = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &new) } < 0;
    Ok(if refused { old.rlim_cur } else { new.rlim_cur })
}

/// An error that may well be a shortage of descriptors, with what was attempted and what to do.
pub fn cannot(what: &str, error: io::Error) -> io::Error {
    let hint =
        "`ulimit -n` shows how many descriptors it may have; it needs about twelve";
    io::Error::new(error.kind(), format!("cannot {what}: {error}\n{hint}"))
}

fn descriptor_limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes during the call, and exclusively borrowed.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit)
}
// ANCHOR_END: limit
