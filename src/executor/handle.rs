//! What an executor shares with its tasks, and what they can do with it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::queue::Queue;
use super::reactor::Reactor;
use super::task::{JoinHandle, Task, Tasks};
use super::timers::Timers;
use super::tracer::Tracer;
use crate::scheduler::poller::Poller;
use crate::scheduler::stop::Stop;
use crate::trace::{Step, TaskId, Trace};

/// What tasks know of their executor. It is passed to each function that needs it: there is no
/// "current" executor somewhere in the background.
#[derive(Clone)]
pub struct Handle {
    pub(super) shared: Rc<Shared>,
}

/// What the executor, the handles and the leaf futures share. It is borrowed for one call at a
/// time: a waker that is called in the meantime is foreign code, but it has no way back to here.
/// (It may be sent to another thread, so it cannot own a handle.)
pub(super) struct Shared {
    pub(super) queue: Arc<Queue>,
    /// The tasks that have not finished.
    pub(super) tasks: RefCell<Tasks>,
    /// How many tasks there have been.
    spawned: Cell<TaskId>,
    /// The task whose turn it is; 0 between turns.
    pub(super) running: Cell<TaskId>,
    /// How many operations it may still do in this turn.
    pub(super) share: Cell<u32>,
    pub(super) reactor: RefCell<Reactor>,
    pub(super) timers: RefCell<Timers>,
    pub(super) stop: Cell<Stop>,
    pub(super) failure: Cell<Option<io::Error>>,
    /// The executor is gone: it would not run a new task.
    pub(super) closed: Cell<bool>,
    tracer: Option<RefCell<Tracer>>,
}

impl Shared {
    pub(super) fn new(
        poller: Box<dyn Poller>,
        trace: Option<Box<dyn Trace>>,
    ) -> io::Result<Shared> {
        let (queue, bell) = Queue::new()?;
        Ok(Shared {
            queue,
            tasks: RefCell::default(),
            spawned: Cell::default(),
            running: Cell::default(),
            share: Cell::default(),
            reactor: RefCell::new(Reactor::new(poller, bell)?),
            timers: RefCell::default(),
            stop: Cell::default(),
            failure: Cell::default(),
            closed: Cell::default(),
            tracer: trace.map(|trace| RefCell::new(Tracer::new(trace))),
        })
    }

    /// Reports a step, if there is a trace.
    pub(super) fn trace<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        self.report(|tracer| tracer.record(step()));
    }

    /// Reports something, if there is a trace.
    pub(super) fn report(&self, something: impl FnOnce(&mut Tracer)) {
        if let Some(tracer) = &self.tracer {
            something(&mut tracer.borrow_mut());
        }
    }

    /// Reports which tasks are new on the ready queue.
    pub(super) fn report_queue(&self) {
        self.report(|tracer| {
            tracer.queue(&self.queue, &self.tasks.borrow(), self.running.get());
        });
    }
}

impl Handle {
    /// Runs `future` as a task of its own, beside the others. It is polled when its turn comes,
    /// for the first time, too.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let Shared { spawned, queue, tasks, closed, .. } = &*self.shared;
        spawned.update(|count| count + 1);
        let (task, handle) = Task::new(spawned.get(), future, queue);
        if !closed.get() {
            tasks.borrow_mut().insert(task.id, Rc::new(task));
            self.shared.report_queue();
        }
        handle
    }

    /// Asks for a graceful stop: no new clients, end of input for those who are there, and a few
    /// seconds for all tasks to finish.
    pub fn stop(&self) {
        let mut stop = self.shared.stop.get();
        if !stop.has_begun() {
            stop.begin();
            self.shared.stop.set(stop);
            self.shared.trace(|| Step::Stop);
            self.shared.reactor.borrow_mut().stop();
        }
    }

    /// Stops as well, and [`run`](super::Executor::run) or
    /// [`block_on`](super::Executor::block_on) will return this error.
    pub fn fail(&self, error: io::Error) {
        self.shared.failure.set(Some(error));
        self.stop();
    }
}
