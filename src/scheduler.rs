//! The scheduler of the article: it runs the tasks that are ready, asks the system which of the
//! waiting events can happen, lets them happen, and sends their results into their tasks in the
//! next round.
//!
//! A task is always in exactly one place: running, on the ready queue, on one of the two waiting
//! tables, among the timers, or (for a moment) on the list of those that go on in the next round.
//! It is moved, never copied, so it cannot be in two of them, and it cannot be forgotten without
//! being dropped.
//!
//! A few functions here and below are marked `inline(always)`. They lie on the way of every
//! echo, each is used in one or two places, and as calls they would make that way half as long
//! again, mostly by moving events from one function's stack to another's.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::buffer::Buffers;
use crate::event::{Data, Event, Happened, Schedule};
use crate::poller::{Direction, Dry, Poller, Readiness, Watch};
use crate::ready::{Handle, Ready, Stepped, Submitted};
use crate::task::Task;
use crate::timers::{Timer, Timers};
use crate::trace::{On, State, Step, TaskId, Trace, Untraced};

// ANCHOR: batch
/// How many results are sent into tasks before the scheduler looks at its sockets again, unless
/// more of them were ready at once. Without a bound, tasks that keep making each other ready
/// would keep everybody else waiting.
pub(crate) const BATCH: usize = 64;

/// How often in a row a task goes on at once, because the result of what it yielded is there
/// already. Then it queues up like everybody.
const AT_ONCE: usize = 2;
// ANCHOR_END: batch

// ANCHOR: graces
/// After [`Handle::stop`], input that the kernel already holds is still received for this long.
pub const INPUT_GRACE: Duration = Duration::from_secs(1);

/// After [`Handle::stop`], [`Scheduler::run`] returns at the latest after this time, with or
/// without its tasks.
pub const STOP_GRACE: Duration = Duration::from_secs(4);
// ANCHOR_END: graces

// ANCHOR: no_socket
const NO_SOCKET: &str = "a SleepEvent goes to the timers, and all others have a socket";
// ANCHOR_END: no_socket

// ANCHOR: scheduler
/// Drives tasks, each from one event to the next, on one thread.
#[derive(Debug)]
pub struct Scheduler<P, T: Trace = Untraced> {
    ready: Rc<Ready<T>>,
    read_waiting: WaitingTable,
    write_waiting: WaitingTable,
    /// Tasks that sleep, and descriptors whose event gives up at some time.
    timers: Timers<RawFd>,
    poller: P,
    /// What the poller said last; kept, so that no round allocates.
    readiness: Vec<Readiness>,
    /// Events that could go on at once, but have had their share of this round.
    again: Vec<(Event, Submitted)>,
    buffers: Buffers,
    /// When the stop began.
    stopped: Option<Instant>,
}
// ANCHOR_END: scheduler

// ANCHOR: new
impl<P: Poller> Scheduler<P> {
    /// A scheduler without tasks, which asks `poller` what is ready.
    pub fn new(poller: P) -> Scheduler<P> {
        Scheduler::with_trace(poller, Untraced)
    }
}

impl<P: Poller, T: Trace + 'static> Scheduler<P, T> {
    /// A scheduler that reports each step to `trace`.
    pub fn with_trace(poller: P, trace: T) -> Scheduler<P, T> {
        Scheduler {
            ready: Rc::new(Ready::new(trace)),
            read_waiting: WaitingTable::default(),
            write_waiting: WaitingTable::default(),
            timers: Timers::default(),
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
    // ANCHOR_END: new

    // ANCHOR: run
    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`] is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`], or that of a poller that cannot go on.
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
            let timeout = self.timeout();
            self.trace_enter(timeout);
            self.readiness.clear();
            self.poller.wait(timeout, |it| self.readiness.push(it))?;
            self.ready.trace(|| Step::Leave { call: P::CALL, ready: &self.readiness });

            let readiness = std::mem::take(&mut self.readiness);
            for &(fd, direction) in &readiness {
                // At this moment the event will happen without blocking.
                if let Some((event, task)) = self.table(direction).remove(fd)
                    && let Some((task, data)) = self.happen((fd, direction), event, task)
                {
                    self.ready.push(task, data);
                }
            }
            self.readiness = readiness;
            self.run_timers();
        }
        self.abandon();
        self.ready.take_failure().map_or(Ok(()), Err)
    }
    // ANCHOR_END: run

    // ANCHOR: run_ready
    /// Moves each task that is ready on to its next event.
    #[inline(always)]
    fn run_ready(&mut self) {
        let mut left = self.ready.len().max(BATCH);
        while left > 0 {
            let Some(mut stepped) = self.ready.step() else { break };
            left -= 1;
            let mut times = 0;
            while let Stepped::Yielded(task, event) = stepped {
                let Some((task, data)) = event.do_schedule(self, task) else { break };
                if times == AT_ONCE || left == 0 {
                    self.ready.push(task, data);
                    break;
                }
                (times, left) = (times + 1, left - 1);
                let id = task.id();
                self.ready.trace(|| Step::Happened {
                    task: id,
                    data: &data,
                    at_once: true,
                });
                stepped = self.ready.resume(task, data);
            }
        }
        if !self.again.is_empty() {
            let mut again = std::mem::take(&mut self.again);
            for (event, task) in again.drain(..) {
                if let Some((task, data)) = self.wait_for(event.direction(), event, task)
                {
                    self.ready.push(task, data);
                }
            }
            again.append(&mut self.again);
            self.again = again; // with its memory: no round allocates
        }
    }
    // ANCHOR_END: run_ready

    // ANCHOR: happen
    /// Lets an event happen. Returns its task and its result, for the ready queue; or puts both
    /// back among those that wait.
    #[inline(always)]
    fn happen(
        &mut self,
        (fd, direction): Readiness,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        match event.happen(&mut self.buffers) {
            Happened::Done { data, short } => {
                if short {
                    self.poller.dry(fd, direction, Dry::Short);
                }
                if let Data::Closed = data {
                    self.timers.forget_deadline(task.id());
                }
                Some((task, data))
            }
            Happened::WouldBlock(event) => {
                self.poller.dry(fd, direction, Dry::WouldBlock);
                self.wait_again(direction, event, task)
            }
            Happened::More(event) => {
                self.ready.trace(|| Step::Park { task: task.id(), on: On::Again });
                self.again.push((event, task));
                None
            }
        }
    }
    // ANCHOR_END: happen

    // ANCHOR: wait_for
    // ANCHOR: park
    /// An event that needs its socket: onto the waiting table, unless it can happen at once.
    #[inline(always)]
    fn wait_for(
        &mut self,
        direction: Direction,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        if let Some(since) = self.stopped
            && !matches!(event, Event::Send(_) | Event::Close(_))
        {
            return Some((task, self.happen_last(event, since)));
        }
        let Some(socket) = event.socket() else { unreachable!("{NO_SOCKET}") };
        let fd = socket.as_raw_fd();
        match self.poller.watch(socket, direction) {
            Ok(Watch::TryNow) => return self.happen((fd, direction), event, task),
            Ok(Watch::Wait) => {}
            Err(error) => return Some(self.give_up(event, task, error)),
        }
        let slot = match direction {
            Direction::Read => self.read_waiting.slot(fd),
            Direction::Write => self.write_waiting.slot(fd),
        };
        if slot.is_some() {
            // Two tasks want the same thing. The first goes on waiting.
            return Some(self.give_up(event, task, io::ErrorKind::ResourceBusy.into()));
        }
        let on = On::from((fd, direction));
        self.ready.trace(|| Step::Park { task: task.id(), on });
        *slot = Some((event, task));
        None
    }
    // ANCHOR_END: park

    // ANCHOR: wait_again
    /// An event that has been tried, in vain: now it must wait.
    fn wait_again(
        &mut self,
        direction: Direction,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        let Some(socket) = event.socket() else { unreachable!("{NO_SOCKET}") };
        if let Err(error) = self.poller.watch(socket, direction) {
            return Some(self.give_up(event, task, error));
        }
        let fd = socket.as_raw_fd();
        let on = On::from((fd, direction));
        self.ready.trace(|| Step::Park { task: task.id(), on });
        *self.table(direction).slot(fd) = Some((event, task));
        None
    }

    /// The event cannot happen; its task is told why.
    #[cold]
    fn give_up(
        &mut self,
        event: Event,
        task: Submitted,
        error: io::Error,
    ) -> (Submitted, Data) {
        self.timers.forget_deadline(task.id());
        (task, event.failed(error))
    }
    // ANCHOR_END: wait_again

    // ANCHOR: pop_waiting
    /// Off the waiting table, although the poller has not reported it: nobody needs to watch the
    /// socket any more.
    fn pop_waiting(
        &mut self,
        fd: RawFd,
        direction: Direction,
    ) -> Option<(Event, Submitted)> {
        let (event, task) = self.table(direction).remove(fd)?;
        self.poller.unwatch(fd, direction);
        Some((event, task))
    }
    // ANCHOR_END: pop_waiting
    // ANCHOR_END: wait_for

    // ANCHOR: trace
    /// The last word before the wait, for whoever watches.
    #[inline(always)]
    fn trace_enter(&self, timeout: Option<Duration>) {
        if self.ready.wants_state() {
            let state = self.state();
            self.ready.trace(|| Step::State(&state));
        }
        self.ready.trace(|| {
            let asked = self.poller.asked();
            Step::Enter { call: P::CALL, asked, timeout }
        });
    }

    /// Where all tasks are.
    fn state(&self) -> State {
        State {
            running: self.ready.running(),
            ready: self.ready.tasks(),
            read: self.read_waiting.tasks(),
            write: self.write_waiting.tasks(),
            timer: self.timers.sleeping().collect(),
            kernel: vec![],
            again: self.again.iter().map(|(_, task)| task.id()).collect(),
        }
    }
    // ANCHOR_END: trace

    // ANCHOR: which_table
    fn table(&mut self, direction: Direction) -> &mut WaitingTable {
        match direction {
            Direction::Read => &mut self.read_waiting,
            Direction::Write => &mut self.write_waiting,
        }
    }
    // ANCHOR_END: which_table

    // ANCHOR: timeout
    /// How long the poller may sleep; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        let until = match (self.timers.next(), self.stopped) {
            (None, None) => return None,
            (Some(next), None) => next,
            (None, Some(since)) => since + STOP_GRACE,
            (Some(next), Some(since)) => next.min(since + STOP_GRACE),
        };
        Some(until.saturating_duration_since(Instant::now()))
    }
    // ANCHOR_END: timeout

    // ANCHOR: run_timers
    /// Lets happen what is due by now.
    fn run_timers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((id, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Sleep(task) => self.ready.push(task, Data::Slept),
                Timer::Deadline(fd) => {
                    if let Some((event, task)) = self.pop_late(fd, id) {
                        let late = io::ErrorKind::TimedOut.into();
                        self.ready.push(task, event.failed(late));
                    }
                }
            }
        }
    }

    /// The event of a task, which waits to read or has just had its share of input.
    fn pop_late(&mut self, fd: RawFd, id: TaskId) -> Option<(Event, Submitted)> {
        if let Some(i) = self.again.iter().position(|(_, task)| task.id() == id) {
            return Some(self.again.remove(i));
        }
        self.pop_waiting(fd, Direction::Read)
    }
    // ANCHOR_END: run_timers

    // ANCHOR: stop
    /// From now on nobody waits for something new. Who does already, is told.
    fn begin_stop(&mut self) {
        self.stopped = Some(Instant::now());
        self.ready.trace(|| Step::Stop);
        for fd in self.read_waiting.descriptors() {
            if let Some((event, task)) = self.pop_waiting(fd, Direction::Read)
                && let Some((task, data)) = self.wait_for(Direction::Read, event, task)
            {
                self.ready.push(task, data);
            }
        }
    }

    /// While stopping: no new client; of input, only what is there already, and then its end, so
    /// that every handler finishes by the way it knows. (Sending and closing go on as ever.)
    fn happen_last(&mut self, event: Event, since: Instant) -> Data {
        event.happen_last(since.elapsed() >= INPUT_GRACE, &mut self.buffers)
    }

    fn stop_is_over(&self) -> bool {
        self.stopped.is_some_and(|since| since.elapsed() >= STOP_GRACE)
    }
}
// ANCHOR_END: stop

// ANCHOR: abandon
impl<P, T: Trace> Scheduler<P, T> {
    /// Ends the tasks that are left. What they own is closed.
    fn abandon(&mut self) {
        let mut left = std::mem::take(&mut self.again);
        left.append(&mut self.read_waiting.take());
        left.append(&mut self.write_waiting.take());
        for (event, task) in left {
            drop(event);
            self.ready.abandon(task);
        }
        for task in self.timers.take_sleepers() {
            self.ready.abandon(task);
        }
        self.ready.clear();
    }
}

impl<P, T: Trace> Drop for Scheduler<P, T> {
    fn drop(&mut self) {
        // Tasks own handles, a handle shares the ready queue, and the queue owns tasks: a circle
        // that would keep itself alive.
        self.abandon();
    }
}
// ANCHOR_END: abandon

// ANCHOR: schedule
impl<P: Poller, T: Trace + 'static> Schedule for Scheduler<P, T> {
    type Task = Submitted;

    #[inline(always)]
    fn waiting_for_read(
        &mut self,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        self.wait_for(Direction::Read, event, task)
    }

    fn waiting_for_read_until(
        &mut self,
        deadline: Instant,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        if let Some(fd) = event.fd() {
            self.timers.deadline(deadline, task.id(), fd);
        }
        self.wait_for(Direction::Read, event, task)
    }

    #[inline(always)]
    fn waiting_for_write(
        &mut self,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        self.wait_for(Direction::Write, event, task)
    }

    fn waiting_until(&mut self, instant: Instant, task: Submitted) {
        self.ready.trace(|| Step::Park { task: task.id(), on: On::Timer });
        self.timers.sleep(instant, task);
    }
}
// ANCHOR_END: schedule

// ANCHOR: table
/// Who waits, found by descriptor. Descriptors are small numbers, and the system always gives
/// out the smallest that is free: so the table is an array, and nothing is searched.
#[derive(Debug, Default)]
struct WaitingTable {
    slots: Vec<Option<(Event, Submitted)>>,
}

impl WaitingTable {
    #[inline(always)]
    fn slot(&mut self, fd: RawFd) -> &mut Option<(Event, Submitted)> {
        let fd = fd as usize;
        if fd >= self.slots.len() {
            self.slots.resize_with(fd + 1, || None);
        }
        &mut self.slots[fd]
    }

    fn remove(&mut self, fd: RawFd) -> Option<(Event, Submitted)> {
        self.slots.get_mut(fd as usize)?.take()
    }

    fn descriptors(&self) -> Vec<RawFd> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.is_some())
            .map(|(fd, _)| fd)
            .collect()
    }

    fn tasks(&self) -> Vec<(RawFd, TaskId)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(fd, slot)| Some((fd, slot.as_ref()?.1.id()))).collect()
    }

    fn take(&mut self) -> Vec<(Event, Submitted)> {
        std::mem::take(self).slots.into_iter().flatten().collect()
    }
}
// ANCHOR_END: table
