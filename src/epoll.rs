//! `epoll(7)`: the kernel remembers who is watched, and keeps a list of those that are ready.
//!
//! `select` is told everything anew each time, and looks at everything each time. An epoll
//! instance is an object in the kernel. A socket is registered with it, and from then on the
//! kernel keeps a list of those that have become ready. Asking costs what there is on the list,
//! however many are registered.
//!
//! What is ready is reported each time that we ask, as long as it is (*level-triggered*). So a
//! socket stays registered from one wait to the next, and an echo needs no call for that. The
//! kernel is told only when it reports what no task waits for: it would go on and on.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::limit::cannot;
use crate::net::{Descriptor, Direction, Readiness, Socket};
use crate::scheduler::poller::Poller;

/// How many reports are fetched with one call. If there are more, the next call brings them.
const REPORTS: usize = 1024;

const FULL: &str = "epoll watches as many descriptors as it may: \
                    /proc/sys/fs/epoll/max_user_watches has the limit";

/// The connection is gone or broken. The kernel reports that of every registered socket.
const GONE: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

/// The bit with which the kernel is asked for this direction, and reports it.
fn bit(direction: Direction) -> u32 {
    match direction {
        Direction::Read => libc::EPOLLIN as u32,
        Direction::Write => libc::EPOLLOUT as u32,
    }
}

// ANCHOR: epoll
/// The poller of stage 05.
#[derive(Debug)]
pub struct Epoll {
    instance: OwnedFd,
    /// Found by descriptor.
    registered: Vec<Option<Registered>>,
    reports: Vec<libc::epoll_event>,
}

/// A socket, and what the kernel knows about it.
#[derive(Debug)]
struct Registered {
    /// Which socket it is: later, its number may belong to another one.
    socket: Descriptor,
    /// What the kernel reports.
    interest: u32,
    /// What tasks wait for. The kernel may report more than that, but never less.
    waiting: u32,
}
// ANCHOR_END: epoll

impl Epoll {
    /// An epoll instance that watches nothing yet.
    ///
    /// # Errors
    ///
    /// If there is no descriptor or no memory left for it.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: The call has no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
            .map_err(|error| cannot("use epoll", error))?;
        // SAFETY: The call has succeeded, so `fd` is open, and it has no other owner.
        let instance = unsafe { OwnedFd::from_raw_fd(fd) };
        let reports = vec![libc::epoll_event { events: 0, u64: 0 }; REPORTS];
        Ok(Epoll { instance, registered: vec![], reports })
    }

    /// Sleeps until there are reports, or for `timeout`, and says how many they are.
    ///
    /// A signal handler that runs in the meantime ends the wait. There are no reports then, and
    /// the scheduler looks at the clock anyway.
    // ANCHOR: fetch
    fn fetch_reports(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        // SAFETY: `reports` is valid for writes of REPORTS entries, and exclusively borrowed.
        // The system keeps no pointer to it.
        let count = check(unsafe {
            libc::epoll_wait(
                self.instance.as_raw_fd(),
                self.reports.as_mut_ptr(),
                REPORTS as libc::c_int,
                milliseconds(timeout),
            )
        });
        match count {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            count => Ok(count? as usize),
        }
    }
    // ANCHOR_END: fetch
}

/// The best poller that this system has.
///
/// # Errors
///
/// Those of [`Epoll::new`].
pub fn epoll_or_select() -> io::Result<Epoll> {
    Epoll::new()
}

impl Poller for Epoll {
    fn call(&self) -> &'static str {
        "epoll_wait"
    }

    fn sends_first(&self) -> bool {
        true
    }

    // ANCHOR: watch
    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        let fd = socket.as_raw_fd() as usize;
        if self.registered.len() <= fd {
            self.registered.resize_with(fd + 1, || None);
        }
        let place = &mut self.registered[fd];
        // The kernel forgets a socket when it is closed. So must we, before its number comes back.
        place.take_if(|known| !known.socket.is_of(socket));
        let known = place.get_or_insert_with(|| Registered {
            socket: socket.descriptor(),
            interest: 0,
            waiting: 0,
        });
        known.register(&self.instance, known.interest | bit(direction))?;
        known.waiting |= bit(direction);
        Ok(())
    }
    // ANCHOR_END: watch

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        if let Some(known) = &mut self.registered[fd as usize] {
            known.waiting &= !bit(direction);
        }
    }

    // ANCHOR: wait
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let count = self.fetch_reports(timeout)?;
        for report in &self.reports[..count] {
            let fd = report.u64 as RawFd;
            let known = self.registered[fd as usize].as_mut();
            // What we have closed, another process may have open for a moment longer.
            let Some(known) = known.filter(|known| !known.socket.is_closed()) else {
                continue;
            };
            let mut over = known.waiting & report.events;
            if report.events & GONE != 0 {
                over = known.waiting; // the task's next call says what has happened
            }
            known.waiting &= !over;
            for direction in [Direction::Read, Direction::Write] {
                if over & bit(direction) != 0 {
                    ready.push((fd, direction));
                }
            }
            if over == 0 && timeout != Some(Duration::ZERO) {
                // No task waits for that, and it has ended our sleep: not once more.
                known.register(&self.instance, known.waiting)?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: wait
}

impl Registered {
    // ANCHOR: register
    /// From now on the kernel reports `interest`, and what is gone. With no interest at all, it
    /// reports nothing.
    fn register(&mut self, instance: &OwnedFd, interest: u32) -> io::Result<()> {
        let operation = match (self.interest, interest) {
            (old, new) if old == new => return Ok(()),
            (0, _) => libc::EPOLL_CTL_ADD,
            (_, 0) => libc::EPOLL_CTL_DEL,
            _ => libc::EPOLL_CTL_MOD,
        };
        let fd = self.socket.number;
        let mut event = libc::epoll_event { events: interest, u64: fd as u64 };
        // SAFETY: `event` is valid for reads during the call, and the system keeps no pointer to
        // it. A descriptor that is not open is an error, and harmless.
        let result = check(unsafe {
            libc::epoll_ctl(instance.as_raw_fd(), operation, fd, &raw mut event)
        });
        result.map_err(explained)?;
        self.interest = interest;
        Ok(())
    }
    // ANCHOR_END: register
}

/// `ENOSPC` is called "no space left on device", and it is not about a device.
fn explained(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOSPC) => io::Error::new(error.kind(), FULL),
        _ => error,
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// `epoll_wait` counts in milliseconds. Rounded up: a scheduler that wakes too early for a timer
/// would ask again and again, without waiting, until the millisecond is over. -1 is for ever.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    let Some(timeout) = timeout else { return -1 };
    timeout.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(libc::c_int::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// An open descriptor with which the kernel refuses each call, because it is no instance.
    fn no_instance() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn a_wait_that_fails_is_an_error() {
        let mut epoll = Epoll { instance: no_instance(), ..Epoll::new().unwrap() };
        let error = epoll.fetch_reports(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_full_kernel_is_explained() {
        let explained = |code| explained(io::Error::from_raw_os_error(code));
        assert_eq!(explained(libc::ENOSPC).to_string(), FULL);
        assert_eq!(explained(libc::EINVAL).raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn the_kernel_is_not_told_what_it_knows() {
        let (socket, _theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(socket).unwrap().descriptor();
        let interest = bit(Direction::Read);
        let mut known = Registered { socket, interest, waiting: 0 };
        known.register(&no_instance(), interest).unwrap();
        known.register(&no_instance(), 0).unwrap_err();
    }

    #[test]
    fn a_timeout_is_rounded_up() {
        let nanos = Duration::from_nanos;
        for (timeout, expected) in [
            (Some(nanos(0)), 0),
            (Some(nanos(1)), 1),
            (Some(nanos(1_000_000)), 1),
            (Some(nanos(1_000_001)), 2),
            (Some(Duration::MAX), libc::c_int::MAX),
            (None, -1),
        ] {
            assert_eq!(milliseconds(timeout), expected, "{timeout:?}");
        }
    }
}
