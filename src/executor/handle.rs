//! What an executor shares with its tasks, and what they can do with it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::queue::Queue;
use super::reactor::Reactor;
use super::task::{JoinHandle, Task, Tasks};
use super::timers::Timers;
use super::tracer::Tracer;
use crate::scheduler::stop::Stop;
use crate::trace::{On, Step, TaskId};

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
    pub queue: Arc<Queue>,
    /// The tasks that have not finished.
    pub tasks: RefCell<Tasks>,
    /// How many tasks there have been.
    pub spawned: Cell<TaskId>,
    /// The task whose turn it is; 0 between turns.
    pub running: Cell<TaskId>,
    /// How many operations it may still do in this turn.
    pub share: Cell<u32>,
    pub reactor: RefCell<Reactor>,
    pub timers: RefCell<Timers>,
    pub stop: Cell<Stop>,
    pub failure: Cell<Option<io::Error>>,
    pub tracer: Option<RefCell<Tracer>>,
}

impl Shared {
    // ANCHOR: share
    /// Takes one operation from the share of the running task. If none is left, the task goes on
    /// after the others.
    pub fn poll_share(&self, context: &Context<'_>) -> Poll<()> {
        let left = self.share.get();
        if left == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.share.set(left - 1);
        Poll::Ready(())
    }
    // ANCHOR_END: share

    /// Reports a step, if there is a trace.
    pub fn trace<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        self.report(|tracer| tracer.record(step()));
    }

    /// Reports something, if there is a trace.
    pub fn report(&self, something: impl FnOnce(&mut Tracer)) {
        if let Some(tracer) = &self.tracer {
            something(&mut tracer.borrow_mut());
        }
    }

    /// Reports which tasks are new on the ready queue.
    pub fn report_queue(&self) {
        self.report(|tracer| {
            tracer.woken(&self.queue.tasks(), &self.tasks.borrow(), self.running.get());
        });
    }

    /// Reports that a task's turn is over, and where it waits.
    pub fn report_pending(&self, task: TaskId) {
        self.report(|tracer| {
            let mut places = self.places();
            places.retain(|(_, other)| *other == task);
            tracer.pending(task, places);
        });
    }

    /// Reports where all tasks are, if the trace wants to know.
    pub fn report_state(&self) {
        self.report_queue();
        self.report(|tracer| {
            tracer.state(&self.queue.tasks(), self.places(), &self.tasks.borrow());
        });
    }

    /// Where tasks wait: each place, and its task.
    fn places(&self) -> Vec<(On, TaskId)> {
        let (reactor, timers) = (self.reactor.borrow(), self.timers.borrow());
        let sleeping = timers.waiting().map(|task| (On::Timer, task));
        let mut places: Vec<(On, TaskId)> = reactor.waiting().chain(sleeping).collect();
        places.sort_unstable();
        places.dedup(); // a task may sleep in two futures
        places
    }
}

impl Handle {
    /// Runs `future` as a task of its own, beside the others. It is polled when its turn comes,
    /// for the first time, too.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let Shared { spawned, queue, tasks, .. } = &*self.shared;
        spawned.update(|count| count + 1);
        let (task, handle) = Task::new(spawned.get(), future, queue);
        if !queue.is_closed() {
            tasks.borrow_mut().insert(task.id, Rc::new(task));
            self.shared.report_queue();
        }
        handle
    }

    /// Asks for a graceful stop: no new clients, end of input for the present ones, and a few
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
