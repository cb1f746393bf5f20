//! `epoll(7)`: the kernel remembers who is watched, and keeps a list of those that are ready.
//!
//! `select` is told everything anew each time, and looks at everything each time. An epoll
//! instance is an object in the kernel. A socket is registered with it, and from then on the
//! kernel keeps a list of those that have become ready. Asking costs what there is on the list,
//! however many are registered.
//!
//! What is ready is reported each time that we ask, as long as it is (*level-triggered*). So a
//! socket stays registered from one wait to the next, and an echo needs no call for that. Only
//! when something is reported that nobody waits for, the kernel is told: else it would go on and
//! on.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Epoll, epoll_or_select};
#[cfg(target_os = "linux")]
pub use linux::{Epoll, epoll_or_select};

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::time::Duration;

    use crate::limit::cannot;
    use crate::net::{Descriptor, Direction, Readiness, Socket};
    use crate::scheduler::poller::Poller;

    /// How many reports are fetched with one call. If there are more, the next call brings them.
    const REPORTS: usize = 1024;

    /// What ends a wait to read, and a wait to write. (That the connection is gone or broken,
    /// `HUP` and `ERR`, is reported to both.)
    fn bits(direction: Direction) -> u32 {
        let bits = match direction {
            Direction::Read => libc::EPOLLIN | libc::EPOLLRDHUP,
            Direction::Write => libc::EPOLLOUT,
        };
        bits as u32
    }

    const GONE: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

    /// The poller of stage 05.
    #[derive(Debug)]
    pub struct Epoll {
        instance: OwnedFd,
        /// Found by descriptor.
        registered: Vec<Option<Registered>>,
        reports: Vec<libc::epoll_event>,
    }

    /// A socket that the kernel watches for us.
    #[derive(Debug)]
    struct Registered {
        /// Which socket: the same descriptor may be another one tomorrow.
        socket: Descriptor,
        /// What the kernel reports.
        interest: u32,
        /// What somebody waits for.
        waiting: u32,
    }

    impl Epoll {
        /// An epoll instance that watches nothing yet.
        ///
        /// # Errors
        ///
        /// If there is no descriptor or no memory left for it.
        pub fn new() -> io::Result<Epoll> {
            Ok(Epoll {
                instance: create().map_err(|error| cannot("use epoll", error))?,
                registered: Vec::new(),
                reports: Vec::with_capacity(REPORTS),
            })
        }
    }

    /// The best poller that the system has.
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

        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
            let fd = socket.as_raw_fd();
            if self.registered.len() <= fd as usize {
                self.registered.resize_with(fd as usize + 1, || None);
            }
            let place = &mut self.registered[fd as usize];
            // The kernel forgets a socket when it is closed.
            place.take_if(|known| !known.socket.is_of(socket));
            let known = place.get_or_insert_with(|| Registered {
                socket: socket.descriptor(),
                interest: 0,
                waiting: 0,
            });
            let interest = known.interest | bits(direction);
            if interest != known.interest {
                let operation = match known.interest {
                    0 => libc::EPOLL_CTL_ADD,
                    _ => libc::EPOLL_CTL_MOD,
                };
                control(&self.instance, operation, fd, interest)?;
                known.interest = interest;
            }
            known.waiting |= bits(direction);
            Ok(())
        }

        fn unwatch(&mut self, fd: RawFd, direction: Direction) {
            if let Some(known) = &mut self.registered[fd as usize] {
                known.waiting &= !bits(direction);
            }
        }

        fn wait(
            &mut self,
            timeout: Option<Duration>,
            ready: &mut Vec<Readiness>,
        ) -> io::Result<()> {
            wait(&self.instance, timeout, &mut self.reports)?;
            for report in &self.reports {
                let fd = report.u64 as RawFd;
                let place = &mut self.registered[fd as usize];
                let Some(known) = place else { continue };
                let before = known.waiting;
                for direction in [Direction::Read, Direction::Write] {
                    let awaited = before & bits(direction);
                    if awaited != 0 && report.events & (awaited | GONE) != 0 {
                        known.waiting &= !awaited;
                        ready.push((fd, direction));
                    }
                }
                if known.waiting != before || timeout == Some(Duration::ZERO) {
                    continue;
                }
                // Nobody has waited for that, and it has ended our sleep: not once more.
                if before == 0 {
                    control(&self.instance, libc::EPOLL_CTL_DEL, fd, 0)?;
                    *place = None;
                } else {
                    control(&self.instance, libc::EPOLL_CTL_MOD, fd, before)?;
                    known.interest = before;
                }
            }
            Ok(())
        }
    }

    fn create() -> io::Result<OwnedFd> {
        // SAFETY: The call has no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: The call has succeeded, so `fd` is open, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn control(
        instance: &OwnedFd,
        operation: libc::c_int,
        fd: RawFd,
        interest: u32,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: fd as u64 };
        // SAFETY: `event` is valid for reads during the call, and the system keeps no
        // pointer to it. A descriptor that is not open is an error, and harmless.
        let result = check(unsafe {
            libc::epoll_ctl(instance.as_raw_fd(), operation, fd, &raw mut event)
        });
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                let why = "epoll watches as many descriptors as it may: \
                           /proc/sys/fs/epoll/max_user_watches has the limit";
                Err(io::Error::new(error.kind(), why))
            }
            Err(error) => Err(error),
        }
    }

    /// Sleeps until there are reports, or for `timeout`, and replaces `reports` by them.
    ///
    /// A signal handler that runs in the meantime ends the wait; there are no reports then, and
    /// whoever waits looks at the clock anyway.
    fn wait(
        instance: &OwnedFd,
        timeout: Option<Duration>,
        reports: &mut Vec<libc::epoll_event>,
    ) -> io::Result<()> {
        reports.clear();
        let room = reports.capacity() as libc::c_int;
        // SAFETY: The vector's memory is valid for writes of `room` entries, and exclusively
        // borrowed. The system keeps no pointer to it.
        let count = unsafe {
            libc::epoll_wait(
                instance.as_raw_fd(),
                reports.as_mut_ptr(),
                room,
                timeout.map_or(-1, milliseconds),
            )
        };
        match check(count) {
            // SAFETY: The system has initialised the first `count` entries, and `count` is at
            // most the capacity.
            Ok(count) => unsafe { reports.set_len(count as usize) },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn check(result: libc::c_int) -> io::Result<libc::c_int> {
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }

    /// `epoll_wait` counts in milliseconds. Rounded up: who wakes too early for a timer would
    /// ask again and again, without waiting, until the millisecond is over.
    fn milliseconds(timeout: Duration) -> libc::c_int {
        timeout.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(libc::c_int::MAX)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_timeout_is_rounded_up() {
            let nanos = Duration::from_nanos;
            for (timeout, expected) in [
                (nanos(0), 0),
                (nanos(1), 1),
                (nanos(1_000_000), 1),
                (nanos(1_000_001), 2),
                (Duration::MAX, libc::c_int::MAX),
            ] {
                assert_eq!(milliseconds(timeout), expected, "{timeout:?}");
            }
        }
    }
}

/// What other systems have instead.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;

    use crate::select::Select;

    /// There is no epoll here.
    pub struct Epoll;

    impl Epoll {
        /// # Errors
        ///
        /// Always. (So the poller that it would return is of no importance.)
        pub fn new() -> io::Result<Select> {
            let why = "Linux only: this system has no epoll\n\
                       04_scheduler is the same server, and runs everywhere";
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }

    /// The best poller that the system has.
    ///
    /// # Errors
    ///
    /// None here.
    pub fn epoll_or_select() -> io::Result<Select> {
        Ok(Select::default())
    }
}
