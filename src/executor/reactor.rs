//! The reactor: which waker to call when a socket becomes ready.
//!
//! It owns the poller, the same as the scheduler's of stages 04 and 05. Where the scheduler's
//! waiting tables keep an event and its task, the reactor's keeps a waker, and that is all it
//! knows about who waits.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use super::queue::Queue;
use crate::net::Socket;
use crate::poller::{Direction, Dry, Poller, Watch};

// ANCHOR: source
/// A socket, and who waits for it.
pub(super) struct Source {
    pub(super) socket: Socket,
    pub(super) read: Side,
    pub(super) write: Side,
}

/// One direction of a socket.
pub(super) struct Side {
    pub(super) state: Cell<State>,
    /// What tells whoever waits: the future with the latest ticket.
    waker: Cell<Option<Waker>>,
    /// How many have waited.
    tickets: Cell<u64>,
}

/// What is known about one direction of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The next operation may succeed: the last one did, or the poller says so.
    Try,
    /// The last operation came up short, so the next one would block.
    Short {
        /// That was in this round of the executor. It is out of date when the reactor has waited
        /// since then: what has come meanwhile is reported only once.
        round: u32,
    },
    /// Ask the poller: nobody has tried yet.
    Ask,
    /// Somebody waits.
    Waiting,
    /// The executor stops: nobody waits for something new.
    Last,
}
// ANCHOR_END: source

// ANCHOR: side
impl Source {
    pub(super) fn new(socket: Socket, read: State) -> Source {
        Source { socket, read: Side::new(read), write: Side::new(State::Ask) }
    }

    #[inline(always)]
    pub(super) fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl Side {
    fn new(state: State) -> Side {
        let (state, tickets) = (Cell::new(state), Cell::new(0));
        Side { state, waker: Cell::new(None), tickets }
    }

    /// Keeps a waker, and returns the ticket for it.
    #[inline(always)]
    fn keep(&self, waker: &Waker) -> u64 {
        let ticket = self.tickets.get() + 1;
        self.tickets.set(ticket);
        self.waker.set(Some(waker.clone()));
        self.state.set(State::Waiting);
        ticket
    }

    /// Something may have come, or may have been there all the time.
    fn may_try(&self) {
        if self.state.get() != State::Last {
            self.state.set(State::Try);
        }
    }

    /// If the future with this ticket is the one that waits, its latest waker counts: it may have
    /// been moved to another task.
    pub(super) fn still_waits(&self, ticket: u64, waker: &Waker) -> bool {
        let waits = self.has_ticket(ticket);
        if waits {
            self.waker.set(Some(waker.clone()));
        }
        waits
    }

    /// The future with this ticket waits no more. Whether it did.
    pub(super) fn forget(&self, ticket: u64) -> bool {
        let waited = self.has_ticket(ticket);
        if waited {
            self.waker.set(None);
            self.state.set(State::Ask);
        }
        waited
    }

    fn has_ticket(&self, ticket: u64) -> bool {
        self.is_waiting() && self.tickets.get() == ticket
    }

    /// Whether somebody waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.state.get() == State::Waiting
    }

    /// What `whose` makes of the waker of whoever waits, for traces.
    pub(super) fn waiting<T>(
        &self,
        whose: impl FnOnce(&Waker) -> Option<T>,
    ) -> Option<T> {
        let waker = self.waker.take();
        let it = waker.as_ref().and_then(whose);
        self.waker.set(waker);
        it
    }

    /// Whoever waits has something to do now.
    #[inline(always)]
    fn tell(&self, state: State) {
        if let Some(waker) = self.waker.take() {
            self.state.set(state);
            waker.wake();
        }
    }
}
// ANCHOR_END: side

// ANCHOR: reactor
/// The poller, and the sockets that it may speak of, found by descriptor.
pub(super) struct Reactor<P> {
    poller: P,
    sources: Vec<Option<Rc<Source>>>,
    /// Readable when the ready queue's bell has been rung.
    bell: Socket,
}
// ANCHOR_END: reactor

// ANCHOR: sources
impl<P: Poller> Reactor<P> {
    /// A reactor that also wakes up when `bell` becomes readable.
    pub(super) fn new(poller: P, bell: UnixStream) -> io::Result<Reactor<P>> {
        let bell = Socket::new(bell)?;
        let mut reactor = Reactor { poller, sources: Vec::new(), bell };
        reactor.listen_to_the_bell()?;
        Ok(reactor)
    }

    /// From now on this socket may be waited for.
    pub(super) fn add(&mut self, source: Rc<Source>) {
        let fd = source.socket.as_raw_fd() as usize;
        if fd >= self.sources.len() {
            self.sources.resize_with(fd + 1, || None);
        }
        self.sources[fd] = Some(source);
    }

    /// Nobody has this socket any more.
    pub(super) fn remove(&mut self, source: &Source) {
        let fd = source.socket.as_raw_fd();
        let known = self.sources.get_mut(fd as usize);
        known.and_then(|it| it.take_if(|it| std::ptr::eq(&raw const **it, source)));
    }
    // ANCHOR_END: sources

    // ANCHOR: register
    /// Whether an operation is worth a try, after the last one has shown it `dry`. If not, `waker`
    /// is called when it is, and the future has a `ticket` for that.
    #[inline(always)]
    pub(super) fn register(
        &mut self,
        source: &Source,
        direction: Direction,
        dry: Option<Dry>,
        waker: &Waker,
        ticket: &mut u64,
    ) -> io::Result<Watch> {
        let side = source.side(direction);
        let watch = match dry {
            Some(why) => self.poller.watch_again(&source.socket, direction, why)?,
            None => self.poller.watch(&source.socket, direction)?,
        };
        match watch {
            Watch::Wait => *ticket = side.keep(waker),
            Watch::TryNow => side.may_try(),
        }
        Ok(watch)
    }
    // ANCHOR_END: register

    // ANCHOR: unwatch
    /// The sockets that may be waited for, for traces.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Rc<Source>> {
        self.sources.iter().flatten()
    }

    /// Nobody waits for this any more.
    pub(super) fn unwatch(&mut self, socket: &Socket, direction: Direction) {
        self.poller.unwatch(socket.as_raw_fd(), direction);
    }
    // ANCHOR_END: unwatch

    // ANCHOR: wait
    /// Sleeps until a socket is ready or the bell rings, or for `timeout`, and wakes those who can
    /// go on.
    ///
    /// A waker can do nothing to this reactor while it is called: it may be sent to another
    /// thread, so it owns nothing of the executor but the ready queue.
    #[inline(always)]
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        queue: &Queue,
    ) -> io::Result<()> {
        let Reactor { poller, sources, bell } = self;
        let rung = Cell::new(false);
        poller.wait(timeout, |(fd, direction)| {
            queue.wake_up(); // before the first waker: it need not ring
            match sources.get(fd as usize) {
                Some(Some(source)) => source.side(direction).tell(State::Try),
                _ => rung.set(rung.get() || fd == bell.as_raw_fd()),
            }
        })?;
        queue.wake_up();
        if rung.get() { self.listen_to_the_bell() } else { Ok(()) }
    }
    // ANCHOR_END: wait

    // ANCHOR: bell
    /// Takes in what has been rung, and listens for the next.
    fn listen_to_the_bell(&mut self) -> io::Result<()> {
        let (fd, direction) = (self.bell.as_raw_fd(), Direction::Read);
        while self.poller.watch(&self.bell, direction)? == Watch::TryNow {
            while self.bell.try_read(&mut [0; 64]).is_ok() {}
            self.poller.dry(fd, direction, Dry::WouldBlock);
        }
        Ok(())
    }
    // ANCHOR_END: bell

    // ANCHOR: stop
    /// Nobody waits to read any more. Those who do are woken, to look for the last time.
    pub(super) fn stop(&mut self) {
        for source in self.sources.iter().flatten() {
            self.poller.unwatch(source.socket.as_raw_fd(), Direction::Read);
            source.read.state.set(State::Last);
            source.read.tell(State::Last);
        }
    }
    // ANCHOR_END: stop
}
