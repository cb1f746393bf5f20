//! What to do when `accept` fails, and a listening socket that waits until that is over.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use super::{Socket, later, now};
use crate::log;

/// How long a server that cannot accept lets the listening socket be.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The process, or the system, is out of descriptors or memory.
const SHORTAGES: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];

/// When so many clients in a row are lost, that is taken for a shortage, too.
const LOST_IN_A_ROW: u32 = 16;

/// What to do after `accept` has failed; every stage asks this.
///
/// Three things go wrong there (`accept(2)`, "Error handling"). A client is gone before it was
/// accepted: take the next. The process is out of descriptors or memory: the client stays in
/// the queue and the socket *stays ready*, so trying again at once is a busy loop; wait for a
/// moment, in which other clients may leave. Or the listening socket itself is broken: give up.
#[derive(Debug, Default)]
pub struct AcceptBackoff {
    /// Clients lost since the last success.
    lost: u32,
    /// The shortage has been reported; once is enough until it is over.
    reported: bool,
}

impl AcceptBackoff {
    /// An accept has succeeded.
    pub fn accepted(&mut self) {
        *self = AcceptBackoff::default();
    }

    /// An accept has failed: how long to wait before the next.
    ///
    /// # Errors
    ///
    /// If the next accept cannot succeed either.
    pub fn after(&mut self, error: io::Error) -> io::Result<Duration> {
        use libc::{EBADF, EFAULT, EINVAL, ENOTSOCK};
        match error.raw_os_error() {
            None | Some(EBADF | EFAULT | EINVAL | ENOTSOCK) => {
                let why = format!("cannot accept clients any more: {error}");
                Err(io::Error::new(error.kind(), why))
            }
            Some(code) if !SHORTAGES.contains(&code) && self.lost < LOST_IN_A_ROW => {
                self.lost += 1;
                log::problem(format_args!("lost a client before accepting it: {error}"));
                Ok(Duration::ZERO)
            }
            Some(_) => {
                if !self.reported {
                    self.reported = true;
                    log::problem(format_args!(
                        "cannot accept for now: {error}\n\
                         clients wait until that is over; \
                         `ulimit -n` raises the number of descriptors"
                    ));
                }
                Ok(ACCEPT_PAUSE)
            }
        }
    }
}

/// A non-blocking listening socket for stage 03. After an accept that failed, it is to be left
/// alone for a while.
#[derive(Debug)]
pub struct PatientSocket {
    socket: Socket,
    backoff: AcceptBackoff,
    paused_until: Option<Instant>,
}

impl PatientSocket {
    /// Takes over a listening socket.
    pub fn new(socket: Socket) -> PatientSocket {
        PatientSocket { socket, backoff: AcceptBackoff::default(), paused_until: None }
    }

    /// How long it is still to be left alone, if it is.
    pub fn pause(&self) -> Option<Duration> {
        let left = self.paused_until?.saturating_duration_since(now());
        (left > Duration::ZERO).then_some(left)
    }

    /// Accepts a client. None if no client waits to be accepted, and after a failure that will
    /// pass, which has been reported and begins a [pause](PatientSocket::pause).
    ///
    /// # Errors
    ///
    /// If the next accept cannot succeed either.
    pub fn try_accept_patiently(&mut self) -> io::Result<Option<(Socket, SocketAddr)>> {
        match self.socket.try_accept() {
            Ok(accepted) => {
                self.backoff.accepted();
                Ok(Some(accepted))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => {
                self.paused_until = Some(later(self.backoff.after(error)?));
                Ok(None)
            }
        }
    }
}

impl AsRawFd for PatientSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_are_of_three_kinds() {
        let mut backoff = AcceptBackoff::default();
        let mut after = |code| backoff.after(io::Error::from_raw_os_error(code));
        assert_eq!(after(libc::ECONNABORTED).unwrap(), Duration::ZERO);
        assert_eq!(after(libc::EMFILE).unwrap(), ACCEPT_PAUSE);
        assert_eq!(after(libc::ENOBUFS).unwrap(), ACCEPT_PAUSE);
        assert!(after(libc::EINVAL).is_err());
    }

    #[test]
    fn an_error_that_does_not_end_is_no_busy_loop() {
        let mut backoff = AcceptBackoff::default();
        let lost = || io::Error::from_raw_os_error(libc::ECONNABORTED);
        for _ in 0..LOST_IN_A_ROW {
            assert_eq!(backoff.after(lost()).unwrap(), Duration::ZERO);
        }
        assert_eq!(backoff.after(lost()).unwrap(), ACCEPT_PAUSE);
        backoff.accepted();
        assert_eq!(backoff.after(lost()).unwrap(), Duration::ZERO);
    }
}
