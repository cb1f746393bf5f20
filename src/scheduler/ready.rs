//! The ready queue: tasks that can go on, each with the result to go on with.
//!
//! Every driver of tasks has one: what differs between drivers is how a task gets *out* of a
//! wait, and that ends here, with `add_ready`. A task in the middle of its run may
//! submit another one, so the queue is shared with the tasks, as their [`Handle`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::event::{Data, Event};
use super::task::{Resumed, Task};
use crate::log;
use crate::trace::{On, Step, TaskId, Trace};

// ANCHOR: submitted
/// A task that has been submitted: it has a number now.
pub struct Submitted {
    /// Its number.
    pub id: TaskId,
    task: Box<dyn Task>,
}
// ANCHOR_END: submitted

// ANCHOR: queue
/// What tasks know of the scheduler: they can submit other tasks, and ask it to stop.
pub type Handle = Rc<ReadyQueue>;

/// The ready queue, the number of tasks that have not finished, and the wish to stop.
#[derive(Default)]
pub struct ReadyQueue {
    queue: RefCell<VecDeque<(Submitted, Data)>>,
    running: Cell<usize>,
    submitted: Cell<TaskId>,
    /// The task that is about to be finished has panicked.
    panicked: Cell<bool>,
    stopping: Cell<bool>,
    failure: Cell<Option<io::Error>>,
    trace: Option<RefCell<Box<dyn Trace>>>,
}
// ANCHOR_END: queue

impl ReadyQueue {
    /// An empty queue, which reports every step to `trace`, if there is one.
    pub fn new(trace: Option<Box<dyn Trace>>) -> ReadyQueue {
        ReadyQueue { trace: trace.map(RefCell::new), ..ReadyQueue::default() }
    }

    // ANCHOR: submit_task
    /// Counts the task in and puts it onto the queue, behind those that are ready now. Its first
    /// `send` will be [`Data::Start`]: that primes it, and runs it to its first event.
    pub fn submit_task(&self, task: impl Task + 'static) {
        let id = self.submitted.get() + 1;
        self.submitted.set(id);
        self.running.update(|running| running + 1);
        self.trace(|| Step::Spawn { task: id, name: task.name() });
        let task = Submitted { id, task: Box::new(task) };
        self.queue.borrow_mut().push_back((task, Data::Start));
    }
    // ANCHOR_END: submit_task

    /// Asks for a graceful stop: no new clients, end of input for the present ones, and a few
    /// seconds for all tasks to finish.
    pub fn stop(&self) {
        self.stopping.set(true);
    }

    /// Stops as well, and `run` will return this error.
    pub fn fail(&self, error: io::Error) {
        self.failure.set(Some(error));
        self.stop();
    }

    /// An event has happened: its task will be resumed with `data` when its turn comes.
    pub(crate) fn add_ready(&self, task: Submitted, data: Data) {
        self.trace(|| Step::Happened { task: task.id, result: data.outcome(), at: None });
        self.queue.borrow_mut().push_back((task, data));
    }

    /// The first task in the queue, and what is to be sent into it.
    pub(crate) fn pop(&self) -> Option<(Submitted, Data)> {
        self.queue.borrow_mut().pop_front()
    }

    // ANCHOR: send
    /// Sends `data` into `task`, which runs up to its next event. None if it has come to its end:
    /// then it has to be [finished](ReadyQueue::finish). A task that panics has come to its end,
    /// too, with a message; all other tasks go on.
    pub(crate) fn send(&self, task: &mut Submitted, data: Data) -> Option<Event> {
        self.trace(|| Step::Resume { task: task.id, with: data.outcome() });
        // The scheduler does not look into a task that has panicked, it only drops it: so it
        // cannot see what the panic left unfinished.
        match catch_unwind(AssertUnwindSafe(|| task.task.send(data))) {
            Ok(Resumed::Yielded(event, at)) => {
                self.trace(|| event.yield_step(task.id, at));
                return Some(event);
            }
            Ok(Resumed::Finished) => {}
            Err(panic) => {
                let (id, name) = (task.id, task.task.name());
                let why = log::panic_message(&*panic);
                log::problem(format_args!(
                    "task {id} ({name}) panicked and was ended: {why}"
                ));
                self.panicked.set(true);
            }
        }
        None
    }
    // ANCHOR_END: send

    // ANCHOR: finish
    /// Ends a task. What it owns is closed, and may panic (once more) when it is dropped.
    pub(crate) fn finish(&self, task: Submitted) {
        let (id, mut panicked) = (task.id, self.panicked.take());
        if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
            log::problem(format_args!("task {id} panicked while it was dropped"));
            panicked = true;
        }
        self.running.update(|running| running - 1);
        self.trace(|| Step::Finish { task: id, panicked });
    }
    // ANCHOR_END: finish

    // ANCHOR: trace
    /// Reports a step, if there is a trace.
    pub(crate) fn trace<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().record(step());
        }
    }
    // ANCHOR_END: trace

    /// Reports that `task` waits there.
    pub(crate) fn trace_park(&self, task: &Submitted, on: On) {
        self.trace(|| Step::Park { task: task.id, on, also: false });
    }

    /// Whether there is a trace that wants to know where all tasks are.
    pub(crate) fn wants_state(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.borrow().wants_state())
    }

    /// The tasks on the queue, in its order.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        self.queue.borrow().iter().map(|(task, _)| task.id).collect()
    }

    /// How many results wait to be sent into their tasks.
    pub(crate) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// How many tasks have been submitted and have not finished.
    pub(crate) fn running(&self) -> usize {
        self.running.get()
    }

    /// Whether a stop has been asked for.
    pub(crate) fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The error given to [`fail`](ReadyQueue::fail), once.
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }
}
