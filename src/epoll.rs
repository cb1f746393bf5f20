//! `epoll(7)`: the kernel remembers who is watched, and tells what has *changed*.
//!
//! `select` is told everything anew each time, and looks at everything each time. An epoll
//! instance is an object in the kernel. A socket is registered with it once, and from then on
//! the kernel keeps a list of those that have become ready. Asking costs what there is on the
//! list, however many are registered.
//!
//! We register *edge-triggered*: the kernel reports that something has changed (data has come,
//! room has been made), once. What it does not report is that data is *still* there. So we keep
//! that in mind ourselves: a socket may be ready until an operation on it shows that it is not.
//! As long as it may be, there is nothing to ask, and the operation is tried at once.
//!
//! Like `select.rs`, this is a thin wrapper around system calls; it knows sockets, but not what
//! they are used for.

// ANCHOR: linux
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Epoll;
#[cfg(target_os = "linux")]
pub use linux::Epoll;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::time::Duration;

    use crate::limit::cannot;
    use crate::net::{Identity, Socket};
    use crate::poller::{Direction, Dry, Poller, Readiness, Watch};

    /// How many reports are fetched with one call. If there are more, the next call brings them.
    const REPORTS: usize = 1024;
    // ANCHOR_END: linux

    // ANCHOR: interest
    /// What says that a read need not wait: there is something (`IN`), the peer has shut down its
    /// sending side (`RDHUP`), the connection is gone (`HUP`) or broken (`ERR`).
    const READ: u32 = IN | END_OF_INPUT;
    const IN: u32 = libc::EPOLLIN as u32;
    const END_OF_INPUT: u32 = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;

    /// What says that a write need not wait: there is room (`OUT`), or nobody to write to.
    const WRITE: u32 = OUT | END_OF_OUTPUT;
    const OUT: u32 = libc::EPOLLOUT as u32;
    const END_OF_OUTPUT: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;

    /// What the kernel shall report, for every socket: all of that, and only when it changes.
    const INTEREST: u32 = READ | WRITE | libc::EPOLLET as u32;

    fn bits(direction: Direction) -> u32 {
        match direction {
            Direction::Read => READ,
            Direction::Write => WRITE,
        }
    }
    // ANCHOR_END: interest

    // ANCHOR: epoll
    /// The poller of stage 05: an epoll instance, and what it has told so far.
    #[derive(Debug)]
    pub struct Epoll {
        instance: OwnedFd,
        /// Found by descriptor.
        registered: Vec<Option<Registered>>,
        /// How many registrations there have been.
        registrations: u32,
        reports: Vec<libc::epoll_event>,
    }

    /// A socket that the kernel watches for us.
    #[derive(Debug)]
    struct Registered {
        /// Which socket: the same descriptor may be another one tomorrow.
        socket: Identity,
        /// Comes with each report, which may be older than the socket.
        number: u32,
        /// What has been reported, and has not been shown to be over since.
        ready: u32,
        /// What ends the wait of whoever wants to read, and of whoever wants to write; nothing if
        /// nobody waits.
        awaited: [u32; 2],
    }
    // ANCHOR_END: epoll

    // ANCHOR: report
    impl Registered {
        /// Somebody wants to operate.
        #[inline(always)]
        fn watch(&mut self, direction: Direction) -> Watch {
            if self.ready & bits(direction) != 0 {
                return Watch::TryNow;
            }
            self.awaited[direction as usize] = bits(direction);
            Watch::Wait
        }

        /// An operation has shown that there is nothing more to read, or no more room to write.
        ///
        /// Data and the end of input may come in one report. A short read then says that the data
        /// is gone; the end is still there to be read, and nothing will report it again. So only
        /// an operation that would have to wait says that there is no end, either.
        #[inline(always)]
        fn dry(&mut self, direction: Direction, why: Dry) {
            self.ready &= match why {
                Dry::Short => !(bits(direction) & (IN | OUT)),
                Dry::WouldBlock => !bits(direction),
            };
        }

        /// The kernel says what has changed. Is that what somebody has waited for, in this
        /// direction? Then it is not watched any more.
        #[inline(always)]
        fn is_over(&mut self, direction: Direction, changed: u32) -> bool {
            let awaited = &mut self.awaited[direction as usize];
            let over = *awaited & changed != 0;
            if over {
                *awaited = 0;
            }
            over
        }
    }
    // ANCHOR_END: report

    // ANCHOR: new
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
                registrations: 0,
                reports: Vec::with_capacity(REPORTS),
            })
        }

        // ANCHOR_END: new

        // ANCHOR: register
        /// Registers a socket, once in its life. The kernel forgets it when it is closed.
        ///
        /// An error concerns this socket alone; that there are too many is the likely one.
        #[cold]
        fn register(&mut self, socket: &Socket) -> io::Result<()> {
            let fd = socket.as_raw_fd();
            self.registrations = self.registrations.wrapping_add(1);
            let number = self.registrations;
            add(&self.instance, fd, INTEREST, key(fd, number))?;
            if self.registered.len() <= fd as usize {
                self.registered.resize_with(fd as usize + 1, || None);
            }
            let socket = socket.identity();
            // For all we know, everything may succeed.
            let (ready, awaited) = (IN | OUT, [0; 2]);
            self.registered[fd as usize] =
                Some(Registered { socket, number, ready, awaited });
            Ok(())
        }

        /// What is registered with this descriptor, which may be another socket by now.
        #[inline(always)]
        fn known(&mut self, fd: RawFd) -> Option<&mut Registered> {
            self.registered.get_mut(fd as usize)?.as_mut()
        }
    }
    // ANCHOR_END: register

    // ANCHOR: poller
    impl Poller for Epoll {
        const CALL: &'static str = "epoll_wait";

        #[inline(always)]
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            match self.known(socket.as_raw_fd()) {
                Some(known) if known.socket.is(socket) => Ok(known.watch(direction)),
                _ => self.register(socket).map(|()| Watch::TryNow),
            }
        }

        fn unwatch(&mut self, fd: RawFd, direction: Direction) {
            if let Some(known) = self.known(fd) {
                known.awaited[direction as usize] = 0;
            }
        }

        #[inline(always)]
        fn dry(&mut self, fd: RawFd, direction: Direction, why: Dry) {
            if let Some(known) = self.known(fd) {
                known.dry(direction, why);
            }
        }

        #[inline(always)]
        fn watch_again(
            &mut self,
            socket: &Socket,
            direction: Direction,
            why: Dry,
        ) -> io::Result<Watch> {
            match self.known(socket.as_raw_fd()) {
                Some(known) if known.socket.is(socket) => {
                    known.dry(direction, why);
                    Ok(known.watch(direction))
                }
                _ => self.register(socket).map(|()| Watch::TryNow),
            }
        }

        #[inline(always)]
        fn wait(
            &mut self,
            timeout: Option<Duration>,
            mut ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            wait(&self.instance, timeout, &mut self.reports)?;
            for report in &self.reports {
                let (fd, number) = fd_and_number(report.u64);
                let Some(Some(known)) = self.registered.get_mut(fd as usize) else {
                    continue;
                };
                if known.number != number {
                    continue; // about a socket that has been closed since
                }
                let changed = report.events;
                known.ready |= changed;
                for direction in [Direction::Read, Direction::Write] {
                    if known.is_over(direction, changed) {
                        ready((fd, direction));
                    }
                }
            }
            Ok(())
        }
    }

    // ANCHOR_END: poller

    // ANCHOR: key
    /// What the kernel keeps for us, and sends back with each report about a socket.
    fn key(fd: RawFd, number: u32) -> u64 {
        u64::from(number) << 32 | u64::from(fd as u32)
    }

    fn fd_and_number(key: u64) -> (RawFd, u32) {
        (key as u32 as RawFd, (key >> 32) as u32)
    }
    // ANCHOR_END: key

    // ANCHOR: calls
    fn create() -> io::Result<OwnedFd> {
        // SAFETY: The call has no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: The call has succeeded, so `fd` is open, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// From now on, reports about `fd` come with `key`.
    fn add(instance: &OwnedFd, fd: RawFd, interest: u32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: key };
        let mut control = |operation| {
            // SAFETY: `event` is valid for reads during the call, and the system keeps no
            // pointer to it. A descriptor that is not open is an error, and harmless.
            check(unsafe {
                libc::epoll_ctl(instance.as_raw_fd(), operation, fd, &raw mut event)
            })
        };
        match control(libc::EPOLL_CTL_ADD) {
            // Somebody holds a duplicate of a socket that had this number, and gave it this
            // number again. The kernel still knows it, by the old key.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                control(libc::EPOLL_CTL_MOD)
            }
            result => result,
        }
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSPC) => {
                let why = "epoll watches as many descriptors as it may: \
                           /proc/sys/fs/epoll/max_user_watches has the limit";
                io::Error::new(error.kind(), why)
            }
            _ => error,
        })?;
        Ok(())
    }

    /// Sleeps until there are reports, or for `timeout`, and replaces `reports` by them.
    ///
    /// A signal handler that runs in the meantime ends the wait; there are no reports then, and
    /// whoever waits looks at the clock anyway.
    #[inline(always)]
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
    // ANCHOR_END: calls

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

// ANCHOR: elsewhere
/// What other systems have instead: a type that cannot be made.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;
    use std::os::fd::RawFd;
    use std::time::Duration;

    use crate::net::Socket;
    use crate::poller::{Direction, Dry, Poller, Readiness, Watch};

    /// There is no epoll here.
    #[derive(Debug)]
    pub enum Epoll {}

    impl Epoll {
        /// # Errors
        ///
        /// Always.
        pub fn new() -> io::Result<Epoll> {
            let why = "Linux only: this system has no epoll\n\
                       04_scheduler is the same server, and runs everywhere";
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
    }

    impl Poller for Epoll {
        const CALL: &'static str = "epoll_wait";

        fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<Watch> {
            match *self {}
        }

        fn unwatch(&mut self, _: RawFd, _: Direction) {
            match *self {}
        }

        fn dry(&mut self, _: RawFd, _: Direction, _: Dry) {
            match *self {}
        }

        fn wait(
            &mut self,
            _: Option<Duration>,
            _: impl FnMut(Readiness),
        ) -> io::Result<()> {
            match *self {}
        }
    }
}
// ANCHOR_END: elsewhere
