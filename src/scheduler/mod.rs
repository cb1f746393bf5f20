//! The scheduler of the article: it runs the tasks that are ready, asks the system which of the
//! waiting events can happen, lets them happen, and sends their results into their tasks in the
//! next round.
//!
//! A task is always in exactly one place: running, on the ready queue, on one of the two waiting
//! tables, or among the timers. It is moved, never copied, so it cannot be in two of them, and it
//! cannot be forgotten without being dropped.

pub mod event;
pub mod lines;
pub mod poller;
pub mod ready;
pub mod stop;
pub mod task;
pub mod timers;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use event::{Data, Event, Happened, Schedule};
use poller::Poller;
use ready::{Handle, ReadyQueue, Submitted};
use stop::Stop;
use task::Task;
use timers::{Timer, Timers};

use crate::net::{self, Direction, Readiness};
use crate::space::Space;
use crate::trace::{On, State, Step, Trace};

// ANCHOR: batch
/// How many results are sent into tasks before the scheduler looks at its sockets again, unless
/// more of them were ready at once. Without a bound, tasks that keep making each other ready
/// would keep all others waiting.
pub(crate) const BATCH: usize = 64;
// ANCHOR_END: batch

// ANCHOR: table
/// The tasks that wait for a socket, found by descriptor. The system gives out the smallest
/// numbers that are free, so this is an array.
type WaitingTable = Vec<Place>;

/// A place in a waiting table: for an event, and the task that waits for it.
type Place = Option<(Event, Submitted)>;

/// One table for each direction, so that one task may read while another writes.
#[derive(Default)]
struct WaitingTables {
    read: WaitingTable,
    write: WaitingTable,
}
// ANCHOR_END: table

impl WaitingTables {
    /// The place of the task that waits for this.
    fn place(&mut self, fd: RawFd, direction: Direction) -> &mut Place {
        let table = match direction {
            Direction::Read => &mut self.read,
            Direction::Write => &mut self.write,
        };
        if table.len() <= fd as usize {
            table.resize_with(fd as usize + 1, || None);
        }
        &mut table[fd as usize]
    }
}

// ANCHOR: scheduler
/// Drives tasks, each from one event to the next, on one thread.
pub struct Scheduler {
    ready: Rc<ReadyQueue>,
    waiting: WaitingTables,
    timers: Timers,
    poller: Box<dyn Poller>,
    space: Space,
    stop: Stop,
}
// ANCHOR_END: scheduler

impl Scheduler {
    /// A scheduler without tasks, which asks `poller` what is ready, and reports each step to
    /// `trace`.
    pub fn new(
        poller: impl Poller + 'static,
        trace: Option<Box<dyn Trace>>,
    ) -> Scheduler {
        Scheduler {
            ready: Rc::new(ReadyQueue::new(trace)),
            waiting: WaitingTables::default(),
            timers: Timers::default(),
            poller: Box::new(poller),
            space: Space::default(),
            stop: Stop::default(),
        }
    }

    /// What tasks use to submit other tasks.
    pub fn handle(&self) -> Handle {
        Rc::clone(&self.ready)
    }

    /// Adds a task. It does not run before [`run`](Scheduler::run) is called.
    pub fn submit_task(&mut self, task: impl Task + 'static) {
        self.ready.submit_task(task);
    }

    /// Runs until every task has finished, or, after a [stop](ReadyQueue::stop), until
    /// [`STOP_GRACE`](stop::STOP_GRACE) is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`ReadyQueue::fail`], or that of a poller that cannot go on.
    pub fn run(&mut self) -> io::Result<()> {
        let mut readiness = vec![];
        // ANCHOR: loop
        loop {
            self.run_ready();
            self.begin_stop_if_asked();
            if self.ready.running() == 0 || self.stop.is_over() {
                break;
            }
            self.wait(&mut readiness)?; // the core of the whole asynchronous thing
            for (fd, direction) in readiness.drain(..) {
                let place = self.waiting.place(fd, direction);
                if let Some((event, task)) = place.take() {
                    self.happen(direction, event, task);
                }
            }
            self.run_timers();
        }
        // ANCHOR_END: loop
        self.abandon();
        self.ready.take_failure().map_or(Ok(()), Err)
    }

    // ANCHOR: run_ready
    /// Moves each task that is ready on to its next event.
    fn run_ready(&mut self) {
        for _ in 0..self.ready.len().max(BATCH) {
            let Some((mut task, data)) = self.ready.pop() else { break };
            match self.ready.send(&mut task, data) {
                Some(event) => event.do_schedule(self, task),
                None => self.ready.finish(task),
            }
        }
    }
    // ANCHOR_END: run_ready

    // ANCHOR: wait
    /// Sleeps until something that a task waits for is ready, or until the next timer is due.
    fn wait(&mut self, readiness: &mut Vec<Readiness>) -> io::Result<()> {
        let timeout = self.timeout();
        self.trace_enter(timeout);
        self.poller.wait(timeout, readiness)?;
        let ready = Some(&readiness[..]);
        self.ready.trace(|| Step::Leave { call: self.poller.call(), ready });
        Ok(())
    }
    // ANCHOR_END: wait

    // ANCHOR: happen
    /// Lets an event happen, which at this moment does not block: its task, with the result,
    /// goes onto the ready queue. If the poller was wrong, the event waits on.
    fn happen(&mut self, direction: Direction, mut event: Event, task: Submitted) {
        self.ready.trace(|| event.call_step(task.id));
        match event.happen(&mut self.space) {
            Happened::Done(data) => self.ready.add_ready(task, data),
            Happened::NotYet => {
                self.ready.trace(|| event.not_yet_step(task.id));
                self.wait_for(direction, event, task);
            }
        }
    }
    // ANCHOR_END: happen

    // ANCHOR: wait_for
    /// Puts an event and its task onto the waiting table.
    fn wait_for(&mut self, direction: Direction, event: Event, task: Submitted) {
        if self.stop.forbids(&event) {
            return self.stop.end(event, task, &self.ready);
        }
        let socket =
            event.socket().expect("only a SleepEvent has none, and it never waits");
        let fd = socket.as_raw_fd();
        let place = self.waiting.place(fd, direction);
        let watched = match place {
            // Two tasks want the same thing. The first goes on waiting.
            Some(_) => Err(io::ErrorKind::ResourceBusy.into()),
            None => self.poller.watch(socket, direction),
        };
        if let Err(error) = watched {
            return self.ready.add_ready(task, event.failed(error));
        }
        if let Some(deadline) = event.deadline() {
            self.timers.give_up(deadline, fd, task.id);
        }
        self.ready.trace_park(&task, On::from((fd, direction)));
        *place = Some((event, task));
    }
    // ANCHOR_END: wait_for

    // ANCHOR: timeout
    /// How long the poller may sleep; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        if self.ready.len() > 0 {
            return Some(Duration::ZERO);
        }
        let until = self.timers.next().into_iter().chain(self.stop.deadline()).min()?;
        Some(until.saturating_duration_since(net::now()))
    }
    // ANCHOR_END: timeout

    // ANCHOR: run_timers
    /// Lets happen what is due by now.
    fn run_timers(&mut self) {
        while let Some(timer) = self.timers.pop_due() {
            match timer {
                Timer::Sleep(task) => self.ready.add_ready(task, Data::Slept),
                Timer::GiveUp(fd) => self.give_up(fd),
            }
        }
    }
    // ANCHOR_END: run_timers

    // ANCHOR: give_up
    /// Ends the wait for `fd`, unless it has ended in time, and another event waits there by now.
    fn give_up(&mut self, fd: RawFd) {
        let is_late = |(event, _): &mut (Event, Submitted)| {
            event.deadline().is_some_and(|deadline| deadline <= net::now())
        };
        if let Some((event, task)) =
            self.waiting.place(fd, Direction::Read).take_if(is_late)
        {
            self.poller.unwatch(fd, Direction::Read);
            let data = event.failed(io::ErrorKind::TimedOut.into());
            self.ready.add_ready(task, data);
        }
    }
    // ANCHOR_END: give_up

    // ANCHOR: stop
    /// From a stop on, no task waits for something new. A task that waits already is told.
    fn begin_stop_if_asked(&mut self) {
        if !self.ready.stopping() || self.stop.has_begun() {
            return;
        }
        self.stop.begin();
        self.ready.trace(|| Step::Stop);
        for (fd, waiting) in (0..).zip(mem::take(&mut self.waiting.read)) {
            if let Some((event, task)) = waiting {
                self.poller.unwatch(fd, Direction::Read);
                self.wait_for(Direction::Read, event, task);
            }
        }
    }
    // ANCHOR_END: stop

    // ANCHOR: abandon
    /// Ends the tasks that are left. What they own is closed.
    fn abandon(&mut self) {
        let WaitingTables { read, write } = mem::take(&mut self.waiting);
        for (event, task) in read.into_iter().chain(write).flatten() {
            drop(event);
            self.ready.finish(task);
        }
        for task in self.timers.take_sleepers() {
            self.ready.finish(task);
        }
        // A task that is dropped may use its handle, and submit another one.
        while let Some((task, _)) = self.ready.pop() {
            self.ready.finish(task);
        }
    }
    // ANCHOR_END: abandon

    /// The last steps before the wait.
    fn trace_enter(&self, timeout: Option<Duration>) {
        if self.ready.wants_state() {
            let state = self.state();
            self.ready.trace(|| Step::State(&state));
        }
        self.ready.trace(|| {
            let asked = self.poller.asked();
            Step::Enter { call: self.poller.call(), asked, timeout }
        });
    }

    /// Where all tasks are.
    fn state(&self) -> State {
        let tasks = |table: &WaitingTable| {
            let places = (0..).zip(table);
            places.filter_map(|(fd, it)| Some((fd, it.as_ref()?.1.id))).collect()
        };
        State {
            running: self.ready.running(),
            ready: self.ready.tasks(),
            read: tasks(&self.waiting.read),
            write: tasks(&self.waiting.write),
            timer: self.timers.sleepers().collect(),
            kernel: vec![],
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // Tasks own handles, a handle shares the ready queue, and the queue owns tasks: a circle
        // that would keep itself alive.
        self.abandon();
    }
}

impl Schedule for Scheduler {
    type Task = Submitted;

    fn add_ready(&mut self, task: Submitted, data: Data) {
        self.ready.add_ready(task, data);
    }

    fn waiting_for_read(&mut self, event: Event, task: Submitted) {
        self.wait_for(Direction::Read, event, task);
    }

    fn waiting_for_write(&mut self, event: Event, task: Submitted) {
        if self.poller.sends_first() {
            self.happen(Direction::Write, event, task);
        } else {
            self.wait_for(Direction::Write, event, task);
        }
    }

    fn waiting_until(&mut self, instant: Instant, task: Submitted) {
        self.ready.trace_park(&task, On::Timer);
        self.timers.sleep(instant, task);
    }
}
