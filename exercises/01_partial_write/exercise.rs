//! Send all of it, through a `write` that takes what it likes.
//!
//! The page of this exercise: chapters/exercises/01_partial_write.md

use std::io::{self, ErrorKind, Write};

/// Sends all of `bytes`, in as many calls of `write` as it takes.
///
/// # Errors
///
/// Those of `write`, except for `Interrupted`; and `WriteZero` if it takes nothing at all.
pub fn send_all(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    todo!("call stream.write until all bytes are sent")
}
