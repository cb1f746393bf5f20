//! What other systems have instead of epoll: an error that says so.

use std::io;

use crate::select::Select;

/// There is no epoll here.
#[derive(Debug)]
pub enum Epoll {}

impl Epoll {
    /// There is never a poller to return. It would be stage 04's.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new() -> io::Result<Select> {
        let why = "Linux only: this system has no epoll\n\
                   04_scheduler is the same server, and runs everywhere";
        Err(io::Error::new(io::ErrorKind::Unsupported, why))
    }
}

/// The best poller that this system has.
///
/// # Errors
///
/// None.
pub fn epoll_or_select() -> io::Result<Select> {
    Ok(Select::default())
}
