//! The ready queue: tasks that can go on, each with the result to go on with.
//!
//! Every driver of tasks shares it: what differs between them is how a task gets *out* of a
//! wait, and that ends here, with [`Ready::push`]. A task in the middle of its run may submit
//! another one, so the queue is shared with the tasks through a [`Handle`].

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::event::{Data, Event};
use crate::log;
use crate::task::{Resumed, Task};
use crate::trace::{Step, TaskId, Trace};

/// A task that has been submitted: it has a number now.
pub struct Submitted {
    id: TaskId,
    task: Box<dyn Task>,
}

impl Submitted {
    /// Its number.
    pub fn id(&self) -> TaskId {
        self.id
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} ({})", self.id, self.task.name())
    }
}

/// How far [`Ready::step`] came.
#[derive(Debug)]
pub enum Stepped {
    /// The task waits for this event now.
    Yielded(Submitted, Event),
    /// The task has finished, or panicked.
    Finished,
}

// ANCHOR: ready
/// The ready queue, the number of tasks that have not finished, and the wish to stop.
#[derive(Default)]
pub struct Ready {
    queue: RefCell<VecDeque<(Submitted, Data)>>,
    running: Cell<usize>,
    submitted: Cell<TaskId>,
    stopping: Cell<bool>,
    failure: Cell<Option<io::Error>>,
    trace: Option<RefCell<Box<dyn Trace>>>,
}

impl Ready {
    /// Counts the task in and puts it onto the queue. Its first `send` will be
    /// [`Data::Start`]: that primes it, and runs it to its first event.
    pub fn submit_task(&self, task: impl Task + 'static) {
        let id = self.submitted.get() + 1;
        self.submitted.set(id);
        self.running.set(self.running.get() + 1);
        self.trace(|| Step::Spawn { task: id, name: task.name() });
        self.push(Submitted { id, task: Box::new(task) }, Data::Start);
    }

    /// The task will be resumed with `data` when its turn comes.
    pub fn push(&self, task: Submitted, data: Data) {
        self.queue.borrow_mut().push_back((task, data));
    }

    /// Sends the next result into its task, which runs up to its next event. `None` if the
    /// queue is empty.
    ///
    /// A task that panics ends there, with a message, and takes no other with it.
    pub fn step(&self) -> Option<Stepped> {
        let (mut task, data) = self.pop()?;
        self.trace(|| Step::Resume { task: task.id, with: &data });
        // The scheduler does not look into a task that has panicked, it only drops it: so it
        // cannot see what the panic left unfinished.
        let panicked = match panic::catch_unwind(AssertUnwindSafe(|| task.task.send(data))) {
            Ok(Resumed::Yielded(event, at)) => {
                self.trace(|| Step::Yield { task: task.id, event: &event, at });
                return Some(Stepped::Yielded(task, event));
            }
            Ok(Resumed::Finished) => None,
            Err(panic) => Some(panic),
        };
        self.finish(task, panicked);
        Some(Stepped::Finished)
    }
    // ANCHOR_END: ready

    #[cold]
    fn report(task: &Submitted, panic: &(dyn Any + Send)) {
        let why = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)");
        log::problem(format_args!("{task:?} panicked and was ended: {why}"));
    }

    fn finish(&self, task: Submitted, mut panicked: Option<Box<dyn Any + Send>>) {
        let Submitted { id, .. } = task;
        if let Some(panic) = &panicked {
            Ready::report(&task, &**panic);
        }
        // What a task owns may panic once more when it is dropped.
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| drop(task))) {
            log::problem(format_args!("task {id} panicked while it was dropped"));
            panicked = Some(panic);
        }
        self.running.set(self.running.get() - 1);
        self.trace(|| Step::Finish { task: id, panicked: panicked.is_some() });
    }

    /// A queue whose every step is reported to `trace`.
    pub fn traced(trace: Box<dyn Trace>) -> Ready {
        Ready { trace: Some(RefCell::new(trace)), ..Ready::default() }
    }

    /// Reports a step, if anybody watches.
    pub fn trace<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().record(step());
        }
    }

    /// How many results wait to be sent into their tasks.
    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Whether no task can go on at the moment.
    pub fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// How many tasks have been submitted and have not finished.
    pub fn running(&self) -> usize {
        self.running.get()
    }

    /// Whether somebody has called [`Handle::stop`].
    pub fn stopping(&self) -> bool {
        self.stopping.get()
    }

    /// The error given to [`Handle::fail`], once.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Ends a task that has not finished. What it owns is closed.
    pub fn abandon(&self, task: Submitted) {
        self.finish(task, None);
    }

    /// Abandons the tasks in the queue.
    pub fn clear(&self) {
        // A task that is dropped may use its handle: the queue must not be borrowed then.
        while let Some((task, data)) = self.pop() {
            drop(data);
            self.abandon(task);
        }
    }

    fn pop(&self) -> Option<(Submitted, Data)> {
        self.queue.borrow_mut().pop_front()
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("len", &self.len())
            .field("running", &self.running)
            .field("stopping", &self.stopping)
            .finish_non_exhaustive()
    }
}

// ANCHOR: handle
/// What tasks know of the scheduler: they can submit other tasks, and ask it to stop.
#[derive(Clone, Debug)]
pub struct Handle {
    ready: Rc<Ready>,
}

impl Handle {
    /// A handle to the driver that `ready` belongs to.
    pub fn new(ready: Rc<Ready>) -> Handle {
        Handle { ready }
    }

    /// Adds a task, which will run from the next turn on.
    pub fn submit_task(&self, task: impl Task + 'static) {
        self.ready.submit_task(task);
    }

    /// Asks for a graceful stop: no new clients, end of input for those who are there, and a
    /// few seconds for everybody to finish.
    pub fn stop(&self) {
        self.ready.stopping.set(true);
    }

    /// Stops as well, and `run` will return this error.
    pub fn fail(&self, error: io::Error) {
        self.ready.failure.set(Some(error));
        self.stop();
    }
}
// ANCHOR_END: handle
