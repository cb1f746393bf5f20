//! The scheduler of the article: it runs the tasks that are ready, asks the system which of the
//! waiting events can happen, lets them happen, and sends their results into their tasks in the
//! next round.
//!
//! A task is always in exactly one place: running, on the ready queue, on one of the two waiting
//! tables, or among the timers. It is moved, never copied, so it cannot be in two of them, and it
//! cannot be forgotten without being dropped.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::buffer::{Buffer, Buffers};
use crate::event::{Data, Event, Happened, Schedule};
use crate::poller::{Direction, Poller, Readiness, Watch};
use crate::ready::{Handle, Ready, Stepped, Submitted};
use crate::task::Task;
use crate::trace::{Step, TaskId, Trace};

/// How many results are sent into tasks before the scheduler looks at its sockets again, unless
/// more of them were ready at once. Without a bound, tasks that keep making each other ready
/// would keep everybody else waiting.
const BATCH: usize = 64;

/// After [`Handle::stop`], input that the kernel already holds is still received for this long.
pub const INPUT_GRACE: Duration = Duration::from_secs(1);

/// After [`Handle::stop`], [`Scheduler::run`] returns at the latest after this time, with or
/// without its tasks.
pub const STOP_GRACE: Duration = Duration::from_secs(4);

// ANCHOR: scheduler
/// Drives tasks, each from one event to the next, on one thread.
#[derive(Debug)]
pub struct Scheduler<P> {
    ready: Rc<Ready>,
    read_waiting: WaitingTable,
    write_waiting: WaitingTable,
    timers: BTreeMap<(Instant, TaskId), Timer>,
    poller: P,
    /// What the poller said last; kept, so that no round allocates.
    readiness: Vec<Readiness>,
    /// Events that could go on at once, but have had their share of this round.
    again: Vec<(Event, Submitted)>,
    buffers: Buffers,
    /// When the stop began.
    stopped: Option<Instant>,
}

/// Why somebody looks at the clock.
#[derive(Debug)]
enum Timer {
    /// A task sleeps until then.
    Sleep(Submitted),
    /// The event that waits to read this descriptor gives up then.
    Deadline(RawFd),
}
// ANCHOR_END: scheduler

impl<P: Poller> Scheduler<P> {
    /// A scheduler without tasks, which asks `poller` what is ready.
    pub fn new(poller: P) -> Scheduler<P> {
        Scheduler::with(Ready::default(), poller)
    }

    /// A scheduler that reports each step to `trace`.
    pub fn traced(poller: P, trace: Box<dyn Trace>) -> Scheduler<P> {
        Scheduler::with(Ready::traced(trace), poller)
    }

    fn with(ready: Ready, poller: P) -> Scheduler<P> {
        Scheduler {
            ready: Rc::new(ready),
            read_waiting: WaitingTable::default(),
            write_waiting: WaitingTable::default(),
            timers: BTreeMap::new(),
            poller,
            readiness: Vec::new(),
            again: Vec::new(),
            buffers: Buffers::default(),
            stopped: None,
        }
    }

    /// What tasks use to submit other tasks.
    pub fn handle(&self) -> Handle {
        Handle::new(Rc::clone(&self.ready))
    }

    /// Adds a task. It does not run before [`run`](Scheduler::run) is called.
    pub fn submit_task(&mut self, task: impl Task + 'static) {
        self.ready.submit_task(task);
    }

    /// Asks for a graceful stop; see [`Handle::stop`].
    pub fn stop(&mut self) {
        self.handle().stop();
    }

    // ANCHOR: run
    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`] is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`]; that of a poller that cannot go on; or
    /// that tasks are left of which none waits for anything.
    pub fn run(&mut self) -> io::Result<()> {
        while self.ready.running() > 0 {
            self.run_ready();
            if self.ready.stopping() && self.stopped.is_none() {
                self.begin_stop();
            }
            if self.ready.running() == 0 || self.stop_is_over() {
                break;
            }

            // This is the core of the whole asynchronous thing.
            let timeout = self.timeout()?;
            self.ready.trace(|| Step::Enter { call: P::CALL });
            self.readiness.clear();
            self.poller.wait(timeout, &mut self.readiness)?;
            self.ready.trace(|| Step::Leave { call: P::CALL, ready: &self.readiness });

            for i in 0..self.readiness.len() {
                let (fd, direction) = self.readiness[i];
                // At this moment the event will happen without blocking.
                if let Some((event, task)) = self.pop_waiting(fd, direction) {
                    self.happen(event, task);
                }
            }
            self.run_timers();
        }
        self.abandon();
        self.ready.take_failure().map_or(Ok(()), Err)
    }
    // ANCHOR_END: run

    // ANCHOR: run_ready
    /// Moves each task that is ready on to its next event.
    fn run_ready(&mut self) {
        for _ in 0..self.ready.len().max(BATCH) {
            match self.ready.step() {
                Some(Stepped::Yielded(task, event)) => event.do_schedule(self, task),
                Some(Stepped::Finished) => {}
                None => break,
            }
        }
        for (event, task) in std::mem::take(&mut self.again) {
            self.wait_for(event, task);
        }
    }
    // ANCHOR_END: run_ready

    // ANCHOR: happen
    /// Lets an event happen, and puts its task and its result onto the ready queue.
    fn happen(&mut self, event: Event, task: Submitted) {
        let place = event.fd().map(|fd| (fd, event.direction()));
        match event.happen(&mut self.buffers) {
            Happened::Done { data, short } => {
                if let (true, Some((fd, direction))) = (short, place) {
                    self.poller.dry(fd, direction);
                }
                self.ready.trace(|| Step::Happened { task: task.id(), data: &data });
                self.ready.push(task, data);
            }
            Happened::WouldBlock(event) => {
                if let Some((fd, direction)) = place {
                    self.poller.dry(fd, direction);
                }
                self.park(event, task);
            }
            Happened::More(event) => self.again.push((event, task)),
        }
    }
    // ANCHOR_END: happen

    // ANCHOR: wait_for
    /// An event that needs its socket: onto the waiting table, unless it can happen at once.
    fn wait_for(&mut self, event: Event, task: Submitted) {
        let Some((event, task)) = self.unless_stopping(event, task) else { return };
        let Some(socket) = event.socket() else { return };
        let direction = event.direction();
        if self.table(direction).is_taken(socket.as_raw_fd()) {
            // Two tasks want the same thing. The first goes on waiting.
            let busy = io::ErrorKind::ResourceBusy.into();
            return self.ready.push(task, event.failed(busy));
        }
        match self.poller.watch(socket, direction) {
            Ok(Watch::Wait) => self.park(event, task),
            Ok(Watch::TryNow) => self.happen(event, task),
            Err(error) => self.ready.push(task, event.failed(error)),
        }
    }

    /// Onto the waiting table: the poller watches the socket already.
    fn park(&mut self, event: Event, task: Submitted) {
        let Some(fd) = event.fd() else { return };
        let direction = event.direction();
        self.ready.trace(|| Step::Park { task: task.id(), on: Some((fd, direction)) });
        if let Some(deadline) = event.deadline() {
            self.timers.insert((deadline, task.id()), Timer::Deadline(fd));
        }
        self.table(direction).insert(fd, event, task);
    }

    /// Off the waiting table: nobody needs to watch the socket any more.
    fn pop_waiting(&mut self, fd: RawFd, direction: Direction) -> Option<(Event, Submitted)> {
        let (event, task) = self.table(direction).remove(fd)?;
        self.poller.unwatch(fd, direction);
        if let Some(deadline) = event.deadline() {
            self.timers.remove(&(deadline, task.id()));
        }
        Some((event, task))
    }
    // ANCHOR_END: wait_for

    fn table(&mut self, direction: Direction) -> &mut WaitingTable {
        match direction {
            Direction::Read => &mut self.read_waiting,
            Direction::Write => &mut self.write_waiting,
        }
    }

    // ANCHOR: timers
    /// How long the poller may sleep; `None` is for ever.
    fn timeout(&self) -> io::Result<Option<Duration>> {
        if !self.ready.is_empty() || !self.again.is_empty() {
            return Ok(Some(Duration::ZERO));
        }
        let timer = self.timers.first_key_value().map(|((until, _), _)| *until);
        let end = self.stopped.map(|since| since + STOP_GRACE);
        match timer.into_iter().chain(end).min() {
            Some(until) => Ok(Some(until.saturating_duration_since(Instant::now()))),
            None if self.read_waiting.is_empty() && self.write_waiting.is_empty() => {
                Err(io::Error::other(format!(
                    "{} tasks are left, and none of them waits for anything",
                    self.ready.running()
                )))
            }
            None => Ok(None),
        }
    }

    /// Lets happen what is due by now.
    fn run_timers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(timer) = self.timers.first_entry() {
            if timer.key().0 > now {
                break;
            }
            match timer.remove() {
                Timer::Sleep(task) => self.ready.push(task, Data::Slept),
                Timer::Deadline(fd) => {
                    if let Some((event, task)) = self.pop_waiting(fd, Direction::Read) {
                        let late = io::ErrorKind::TimedOut.into();
                        self.ready.push(task, event.failed(late));
                    }
                }
            }
        }
    }
    // ANCHOR_END: timers

    // ANCHOR: stop
    /// From now on nobody waits for something new. Who does already, is told.
    fn begin_stop(&mut self) {
        self.stopped = Some(Instant::now());
        for fd in self.read_waiting.descriptors() {
            if let Some((event, task)) = self.pop_waiting(fd, Direction::Read) {
                self.wait_for(event, task);
            }
        }
    }

    /// While stopping: no new client; of input, only what is there already, and then its end, so
    /// that every handler finishes by the way it knows. Sending and closing go on as ever.
    fn unless_stopping(&mut self, event: Event, task: Submitted) -> Option<(Event, Submitted)> {
        let Some(since) = self.stopped else { return Some((event, task)) };
        let data = match event {
            Event::Connect(_) => event.failed(io::ErrorKind::Interrupted.into()),
            Event::Receive(_) if since.elapsed() >= INPUT_GRACE => {
                Data::Received(Ok(Buffer::default()))
            }
            Event::Receive(_) => match event.happen(&mut self.buffers) {
                Happened::Done { data, .. } => data,
                _ => Data::Received(Ok(Buffer::default())),
            },
            _ => return Some((event, task)),
        };
        self.ready.push(task, data);
        None
    }

    fn stop_is_over(&self) -> bool {
        self.stopped.is_some_and(|since| since.elapsed() >= STOP_GRACE)
    }

    /// Ends the tasks that are left. What they own is closed.
    fn abandon(&mut self) {
        let mut left = std::mem::take(&mut self.again);
        left.append(&mut self.read_waiting.take());
        left.append(&mut self.write_waiting.take());
        for (event, task) in left {
            drop(event);
            self.ready.abandon(task);
        }
        for timer in std::mem::take(&mut self.timers).into_values() {
            if let Timer::Sleep(task) = timer {
                self.ready.abandon(task);
            }
        }
        self.ready.clear();
    }
    // ANCHOR_END: stop
}

impl<P> Drop for Scheduler<P> {
    fn drop(&mut self) {
        // Tasks own handles, a handle shares the ready queue, and the queue owns tasks: a circle
        // that would keep itself alive.
        self.ready.clear();
    }
}

// ANCHOR: schedule
impl<P: Poller> Schedule for Scheduler<P> {
    type Task = Submitted;

    fn waiting_for_read(&mut self, event: Event, task: Submitted) {
        self.wait_for(event, task);
    }

    fn waiting_for_write(&mut self, event: Event, task: Submitted) {
        self.wait_for(event, task);
    }

    fn waiting_until(&mut self, instant: Instant, task: Submitted) {
        self.ready.trace(|| Step::Park { task: task.id(), on: None });
        self.timers.insert((instant, task.id()), Timer::Sleep(task));
    }

    fn add_ready(&mut self, task: Submitted, data: Data) {
        self.ready.push(task, data);
    }
}
// ANCHOR_END: schedule

// ANCHOR: table
/// Who waits, found by descriptor. Descriptors are small numbers, and the system always gives
/// out the smallest that is free: so the table is an array, and nothing is searched.
#[derive(Debug, Default)]
struct WaitingTable {
    slots: Vec<Option<(Event, Submitted)>>,
    len: usize,
}

impl WaitingTable {
    fn insert(&mut self, fd: RawFd, event: Event, task: Submitted) {
        let fd = fd as usize;
        if fd >= self.slots.len() {
            self.slots.resize_with(fd + 1, || None);
        }
        self.slots[fd] = Some((event, task));
        self.len += 1;
    }

    fn remove(&mut self, fd: RawFd) -> Option<(Event, Submitted)> {
        let entry = self.slots.get_mut(fd as usize)?.take()?;
        self.len -= 1;
        Some(entry)
    }

    fn is_taken(&self, fd: RawFd) -> bool {
        self.slots.get(fd as usize).is_some_and(Option::is_some)
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn descriptors(&self) -> Vec<RawFd> {
        (0..self.slots.len() as RawFd).filter(|&fd| self.is_taken(fd)).collect()
    }

    fn take(&mut self) -> Vec<(Event, Submitted)> {
        std::mem::take(self).slots.into_iter().flatten().collect()
    }
}
// ANCHOR_END: table
