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

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Epoll;
#[cfg(target_os = "linux")]
pub use linux::Epoll;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
    use std::time::Duration;

    use crate::net::{Identity, Socket};
    use crate::poller::{Direction, Dry, Poller, Readiness, Watch};

    /// How many reports are fetched with one call. If there are more, the next call brings them.
    const REPORTS: usize = 1024;

    // ANCHOR: interest
    /// What we want to hear of, for every socket: that there is something to read (`IN`) or room
    /// to write (`OUT`), that the peer has shut down its sending side (`RDHUP`); hang-ups and
    /// errors are reported in any case. And only when it changes (`ET`).
    const INTEREST: i32 =
        libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;

    /// Nothing more will come after this: a read will never have to wait again.
    const NO_MORE_INPUT: u32 =
        (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32;

    /// Nothing can be sent after this: a write will never have to wait again.
    const NO_MORE_OUTPUT: u32 = (libc::EPOLLHUP | libc::EPOLLERR) as u32;
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
        read: State,
        write: State,
    }

    /// What we know about one direction of a socket.
    #[derive(Debug)]
    struct State {
        /// An operation may succeed, for all we know.
        ready: bool,
        /// The end of it, or an error, was reported: that stays true.
        ended: bool,
        /// Somebody waits for it.
        watched: bool,
    }
    // ANCHOR_END: epoll

    impl State {
        /// Nobody has tried yet.
        const UNTRIED: State = State { ready: true, ended: false, watched: false };

        // ANCHOR: report
        /// The kernel says that something has changed. Whether somebody waits for it.
        fn report(&mut self, ready: bool, ended: bool) -> bool {
            self.ready |= ready;
            self.ended |= ended;
            self.watched && (ready || ended)
        }
        // ANCHOR_END: report
    }

    impl Registered {
        fn state(&mut self, direction: Direction) -> &mut State {
            match direction {
                Direction::Read => &mut self.read,
                Direction::Write => &mut self.write,
            }
        }
    }

    impl Epoll {
        /// An epoll instance that watches nothing yet.
        ///
        /// # Errors
        ///
        /// If there is no descriptor or no memory left for it.
        pub fn new() -> io::Result<Epoll> {
            Ok(Epoll {
                instance: create()?,
                registered: Vec::new(),
                registrations: 0,
                reports: Vec::with_capacity(REPORTS),
            })
        }

        // ANCHOR: register
        /// What we know about `socket`, which is registered now if it was not.
        #[inline(always)]
        fn registered(&mut self, socket: &Socket) -> io::Result<&mut Registered> {
            let fd = socket.as_raw_fd() as usize;
            match self.registered.get(fd) {
                Some(Some(known)) if known.socket.is(socket) => {}
                _ => self.register(socket)?,
            }
            Ok(self.registered[fd].as_mut().expect("it has been registered"))
        }

        /// Registers a socket, once in its life. The kernel forgets it when it is closed.
        #[cold]
        fn register(&mut self, socket: &Socket) -> io::Result<()> {
            let fd = socket.as_raw_fd();
            self.registrations = self.registrations.wrapping_add(1);
            let number = self.registrations;
            add(&self.instance, fd, INTEREST as u32, key(fd, number))?;
            if self.registered.len() <= fd as usize {
                self.registered.resize_with(fd as usize + 1, || None);
            }
            let (read, write) = (State::UNTRIED, State::UNTRIED);
            let socket = socket.identity();
            self.registered[fd as usize] =
                Some(Registered { socket, number, read, write });
            Ok(())
        }
        // ANCHOR_END: register

        fn state(&mut self, fd: RawFd, direction: Direction) -> Option<&mut State> {
            let registered = self.registered.get_mut(fd as usize)?.as_mut()?;
            Some(registered.state(direction))
        }
    }

    // ANCHOR: poller
    impl Poller for Epoll {
        const CALL: &'static str = "epoll_wait";

        #[inline(always)]
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            let state = self.registered(socket)?.state(direction);
            if state.ready || state.ended {
                return Ok(Watch::TryNow);
            }
            state.watched = true;
            Ok(Watch::Wait)
        }

        fn unwatch(&mut self, fd: RawFd, direction: Direction) {
            if let Some(state) = self.state(fd, direction) {
                state.watched = false;
            }
        }

        /// The kernel will report when this changes, so there is no need to try before.
        #[inline(always)]
        fn dry(&mut self, fd: RawFd, direction: Direction, why: Dry) {
            if let Some(state) = self.state(fd, direction) {
                state.ready = false;
                // Data and the end of input may come in one report. A short read then says that
                // the data is gone; the end is still there to be read, and nothing will report
                // it again.
                if why == Dry::WouldBlock {
                    state.ended = false;
                }
            }
        }

        #[inline(always)]
        fn wait(
            &mut self,
            timeout: Option<Duration>,
            ready: &mut Vec<Readiness>,
        ) -> io::Result<()> {
            wait(&self.instance, timeout, &mut self.reports)?;
            for report in &self.reports {
                let (bits, (fd, number)) = (report.events, fd_and_number(report.u64));
                let Some(Some(registered)) = self.registered.get_mut(fd as usize) else {
                    continue;
                };
                if registered.number != number {
                    continue; // about a socket that has been closed since
                }
                let (input, output) = (libc::EPOLLIN as u32, libc::EPOLLOUT as u32);
                if registered.read.report(bits & input != 0, bits & NO_MORE_INPUT != 0) {
                    ready.push((fd, Direction::Read));
                }
                if registered.write.report(bits & output != 0, bits & NO_MORE_OUTPUT != 0)
                {
                    ready.push((fd, Direction::Write));
                }
            }
            Ok(())
        }
    }

    /// What the kernel keeps for us, and sends back with each report about a socket.
    fn key(fd: RawFd, number: u32) -> u64 {
        u64::from(number) << 32 | u64::from(fd as u32)
    }

    fn fd_and_number(key: u64) -> (RawFd, u32) {
        (key as u32 as RawFd, (key >> 32) as u32)
    }
    // ANCHOR_END: poller

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
        }?;
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
        timeout.as_micros().div_ceil(1000).try_into().unwrap_or(libc::c_int::MAX)
    }
    // ANCHOR_END: calls
}

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
            _: &mut Vec<Readiness>,
        ) -> io::Result<()> {
            match *self {}
        }
    }
}
