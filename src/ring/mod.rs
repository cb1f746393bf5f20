//! `io_uring`: the tasks' events are handed to the kernel, which lets them happen.
//!
//! So this is not another poller for the scheduler. It is another driver of the same tasks: the
//! same events, the same ready queue, the same rule for stopping.

/// Other systems have this in place of the present file. Its test runs here, too.
#[cfg(test)]
mod elsewhere;
#[expect(unsafe_code, reason = "memory that is shared with the kernel")]
mod kernel;
#[expect(unsafe_code, reason = "what the kernel reads and writes")]
mod operation;
#[expect(unsafe_code, reason = "memory that is shared with the kernel")]
mod provided;
mod set_up;

use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::net;
use crate::scheduler::BATCH;
use crate::scheduler::event::{Data, Event, Happened, Schedule};
use crate::scheduler::ready::{Handle, ReadyQueue, Submitted};
use crate::scheduler::stop::Stop;
use crate::scheduler::task::Task;
use crate::scheduler::timers::{Timer, Timers};
use crate::trace::{On, State, Step, Trace};
pub use kernel::Kernel;
use operation::Completed;

/// The system call, as a recording names it.
const CALL: &str = "io_uring_enter";

/// Drives tasks, each from one event to the next, on one thread, through an `io_uring`.
pub struct Ring {
    ready: Rc<ReadyQueue>,
    /// The operations that are under way. Each owns its event and its task.
    kernel: Kernel,
    timers: Timers,
    stop: Stop,
}

impl Ring {
    /// A ring without tasks, which hands their events to `kernel`, and reports each step to `trace`.
    pub fn new(kernel: Kernel, trace: Option<Box<dyn Trace>>) -> Ring {
        Ring {
            ready: Rc::new(ReadyQueue::new(trace)),
            kernel,
            timers: Timers::default(),
            stop: Stop::default(),
        }
    }

    /// What tasks use to submit other tasks.
    pub fn handle(&self) -> Handle {
        Rc::clone(&self.ready)
    }

    /// Adds a task. It does not run before [`run`](Ring::run) is called.
    pub fn submit_task(&mut self, task: impl Task + 'static) {
        self.ready.submit_task(task);
    }

    /// Runs until every task has finished, or, after a [stop](ReadyQueue::stop), until
    /// [`STOP_GRACE`](crate::scheduler::stop::STOP_GRACE) is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`ReadyQueue::fail`], or that of a ring that cannot go on.
    pub fn run(&mut self) -> io::Result<()> {
        // ANCHOR: loop
        loop {
            self.run_ready();
            self.begin_stop_if_asked();
            if self.ready.running() == 0 || self.stop.is_over() {
                break;
            }
            self.enter()?; // all that the tasks want, in one system call
            while let Some(completed) = self.kernel.next() {
                self.happened(completed);
            }
            self.run_timers();
        }
        // ANCHOR_END: loop
        self.abandon();
        self.ready.take_failure().map_or(Ok(()), Err)
    }

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

    /// Hands over what the tasks want, and sleeps until something has happened, or until the next
    /// timer is due.
    fn enter(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        self.trace_enter(timeout);
        self.kernel.enter(timeout)?;
        self.ready.trace(|| Step::Leave { call: CALL, ready: None });
        Ok(())
    }

    // ANCHOR: happened
    /// The kernel has let an event happen: its task and its result go onto the ready queue.
    fn happened(&mut self, completed: Completed) {
        let Completed { event, task, happened } = completed;
        let Some(task) = task else { return };
        match happened {
            Happened::Done(data) => self.ready.add_ready(task, data),
            Happened::NotYet if is_late(&event) => {
                let data = event.failed(io::ErrorKind::TimedOut.into());
                self.ready.add_ready(task, data);
            }
            Happened::NotYet if self.stop.forbids(&event) => {
                self.stop.end(event, task, &self.ready);
            }
            Happened::NotYet => self.kernel.start(event, task),
        }
    }
    // ANCHOR_END: happened

    // ANCHOR: wait_for
    /// Hands an event to the kernel, unless one like it is under way.
    fn wait_for(&mut self, event: Event, task: Submitted) {
        if self.stop.forbids(&event) {
            return self.stop.end(event, task, &self.ready);
        }
        if self.kernel.is_busy(&event) {
            // Two tasks want the same thing. The first goes on waiting.
            let data = event.failed(io::ErrorKind::ResourceBusy.into());
            return self.ready.add_ready(task, data);
        }
        if let (Some(deadline), Some(socket)) = (event.deadline(), event.socket()) {
            self.timers.give_up(deadline, socket.as_raw_fd(), task.id);
        }
        self.ready.trace_park(&task, On::Kernel);
        self.kernel.start(event, task);
    }
    // ANCHOR_END: wait_for

    /// How long the kernel may sleep; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        if self.ready.len() > 0 {
            return Some(Duration::ZERO);
        }
        let until = self.timers.next().into_iter().chain(self.stop.deadline()).min()?;
        Some(until.saturating_duration_since(net::now()))
    }

    /// Lets happen what is due by now.
    fn run_timers(&mut self) {
        while let Some(timer) = self.timers.pop_due() {
            match timer {
                Timer::Sleep(task) => self.ready.add_ready(task, Data::Slept),
                // The task is told when the kernel has really given the operation up.
                Timer::GiveUp(fd) => self.kernel.cancel_reading(fd, is_late),
            }
        }
    }

    // ANCHOR: stop
    /// From a stop on, no task waits for something new. A task that waits already is told when the
    /// kernel has given the operation up.
    fn begin_stop_if_asked(&mut self) {
        if !self.ready.stopping() || self.stop.has_begun() {
            return;
        }
        self.stop.begin();
        self.ready.trace(|| Step::Stop);
        let stop = self.stop;
        self.kernel.cancel_all(|event| stop.forbids(event));
    }
    // ANCHOR_END: stop

    /// The last steps before the wait.
    fn trace_enter(&self, timeout: Option<Duration>) {
        if self.ready.wants_state() {
            let state = State {
                running: self.ready.running(),
                ready: self.ready.tasks(),
                timer: self.timers.sleepers().collect(),
                kernel: self.kernel.tasks().collect(),
                ..State::default()
            };
            self.ready.trace(|| Step::State(&state));
        }
        self.ready.trace(|| Step::Enter { call: CALL, asked: None, timeout });
    }

    /// Ends the tasks that are left, and takes back all that the kernel still has.
    fn abandon(&mut self) {
        for task in self.kernel.take_tasks() {
            self.ready.finish(task);
        }
        for task in self.timers.take_sleepers() {
            self.ready.finish(task);
        }
        while let Some((task, _)) = self.ready.pop() {
            self.ready.finish(task);
        }
        self.kernel.end();
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // Tasks own handles, a handle shares the ready queue, and the queue owns tasks: a circle
        // that would keep itself alive.
        self.abandon();
    }
}

// ANCHOR: schedule
impl Schedule for Ring {
    type Task = Submitted;

    fn add_ready(&mut self, task: Submitted, data: Data) {
        self.ready.add_ready(task, data);
    }

    fn waiting_for_read(&mut self, event: Event, task: Submitted) {
        self.wait_for(event, task);
    }

    fn waiting_for_write(&mut self, event: Event, task: Submitted) {
        self.wait_for(event, task);
    }

    fn waiting_until(&mut self, instant: Instant, task: Submitted) {
        self.ready.trace_park(&task, On::Timer);
        self.timers.sleep(instant, task);
    }
}
// ANCHOR_END: schedule

/// Whether it should have happened by now.
fn is_late(event: &Event) -> bool {
    event.deadline().is_some_and(|deadline| deadline <= net::now())
}
