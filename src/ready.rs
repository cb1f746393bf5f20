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
use crate::trace::{Step, TaskId, Trace, Untraced};

// ANCHOR: submitted
/// A task that has been submitted. It has a number now, and counts as running until it is
/// dropped, wherever that happens.
pub struct Submitted(Box<dyn Numbered>);

struct Counted<T> {
    id: TaskId,
    running: Rc<Cell<usize>>,
    task: T,
}

/// A [`Counted`] task of any type.
trait Numbered {
    fn id(&self) -> TaskId;
    fn send(&mut self, data: Data) -> Resumed;
    fn name(&self) -> &'static str;
}

impl<T: Task> Numbered for Counted<T> {
    fn id(&self) -> TaskId {
        self.id
    }

    #[inline(always)]
    fn send(&mut self, data: Data) -> Resumed {
        self.task.send(data)
    }

    fn name(&self) -> &'static str {
        self.task.name()
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.running.set(self.running.get() - 1);
    }
}
// ANCHOR_END: submitted

// ANCHOR: number
impl Submitted {
    /// Its number.
    pub fn id(&self) -> TaskId {
        self.0.id()
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} ({})", self.id(), self.0.name())
    }
}
// ANCHOR_END: number

// ANCHOR: stepped
/// How far [`Ready::step`] came.
#[derive(Debug)]
pub enum Stepped {
    /// The task waits for this event now.
    Yielded(Submitted, Event),
    /// The task has finished, or panicked.
    Finished,
}
// ANCHOR_END: stepped

// ANCHOR: queue
/// The ready queue, the number of tasks that have not finished, and the wish to stop.
pub struct Ready<T = Untraced> {
    queue: RefCell<VecDeque<(Submitted, Data)>>,
    running: Rc<Cell<usize>>,
    submitted: Cell<TaskId>,
    stopping: Cell<bool>,
    failure: Cell<Option<io::Error>>,
    trace: RefCell<T>,
}

impl<T: Trace> Ready<T> {
    /// An empty queue, whose every step is reported to `trace`.
    pub fn new(trace: T) -> Ready<T> {
        Ready {
            queue: RefCell::default(),
            running: Rc::default(),
            submitted: Cell::default(),
            stopping: Cell::default(),
            failure: Cell::default(),
            trace: RefCell::new(trace),
        }
    }

    /// Counts the task in and puts it onto the queue. Its first `send` will be
    /// [`Data::Start`]: that primes it, and runs it to its first event.
    pub fn submit_task(&self, task: impl Task + 'static) {
        let (id, running) = self.count_in(&task);
        self.push(Submitted(Box::new(Counted { id, running, task })), Data::Start);
    }

    fn count_in(&self, task: &dyn Task) -> (TaskId, Rc<Cell<usize>>) {
        let id = self.submitted.get() + 1;
        self.submitted.set(id);
        self.running.set(self.running.get() + 1);
        self.trace(|| Step::Spawn { task: id, name: task.name() });
        (id, Rc::clone(&self.running))
    }

    /// The task will be resumed with `data`, the result of its event, when its turn comes.
    #[inline(always)]
    pub fn push(&self, task: Submitted, data: Data) {
        if !matches!(data, Data::Start) {
            self.trace(|| Step::Happened {
                task: task.id(),
                data: &data,
                at_once: false,
            });
        }
        self.queue.borrow_mut().push_back((task, data));
    }
    // ANCHOR_END: queue

    // ANCHOR: step
    /// Sends the next result into its task, which runs up to its next event. `None` if the
    /// queue is empty.
    #[inline(always)]
    pub fn step(&self) -> Option<Stepped> {
        let (task, data) = self.pop()?;
        Some(self.resume(task, data))
    }

    /// Sends `data` into `task`, which runs up to its next event.
    ///
    /// A task that panics ends there, with a message, and takes no other with it.
    #[inline(always)]
    pub fn resume(&self, mut task: Submitted, data: Data) -> Stepped {
        self.trace(|| Step::Resume { task: task.id(), with: &data });
        // The scheduler does not look into a task that has panicked, it only drops it: so it
        // cannot see what the panic left unfinished.
        let panicked = match panic::catch_unwind(AssertUnwindSafe(|| task.0.send(data))) {
            Ok(Resumed::Yielded(event, at)) => {
                self.trace(|| Step::Yield { task: task.id(), event: &event, at });
                return Stepped::Yielded(task, event);
            }
            Ok(Resumed::Finished) => None,
            Err(panic) => Some(panic),
        };
        self.finish(task, panicked);
        Stepped::Finished
    }
    // ANCHOR_END: step

    // ANCHOR: finish
    fn finish(&self, task: Submitted, mut panicked: Option<Box<dyn Any + Send>>) {
        let id = task.id();
        if let Some(panic) = &panicked {
            report(&task, &**panic);
        }
        // What a task owns may panic once more when it is dropped.
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| drop(task))) {
            log::problem(format_args!("task {id} panicked while it was dropped"));
            panicked = Some(panic);
        }
        self.trace(|| Step::Finish { task: id, panicked: panicked.is_some() });
    }
    // ANCHOR_END: finish

    // ANCHOR: trace
    /// Reports a step, if anybody watches.
    pub fn trace<'a>(&self, step: impl FnOnce() -> Step<'a>) {
        if T::ON {
            self.trace.borrow_mut().record(step());
        }
    }

    /// Whether somebody watches, and wants to know where all tasks are.
    pub fn wants_state(&self) -> bool {
        T::ON && self.trace.borrow().wants_state()
    }

    /// The tasks on the queue, in its order.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.queue.borrow().iter().map(|(task, _)| task.id()).collect()
    }
    // ANCHOR_END: trace

    // ANCHOR: rest
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
// ANCHOR_END: rest

// ANCHOR: report
#[cold]
fn report(task: &Submitted, panic: &(dyn Any + Send)) {
    let why = log::panic_message(panic);
    log::problem(format_args!("{task:?} panicked and was ended: {why}"));
}
// ANCHOR_END: report

// ANCHOR: debug
impl<T> fmt::Debug for Ready<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("running", &self.running)
            .field("stopping", &self.stopping)
            .finish_non_exhaustive()
    }
}
// ANCHOR_END: debug

// ANCHOR: handle
/// What tasks know of the scheduler: they can submit other tasks, and ask it to stop.
#[derive(Clone)]
pub struct Handle {
    ready: Rc<dyn Door>,
}

/// What a handle needs of the ready queue behind it, traced or not.
trait Door {
    fn count_in(&self, task: &dyn Task) -> (TaskId, Rc<Cell<usize>>);
    fn push(&self, task: Submitted, data: Data);
    fn stop(&self, failure: Option<io::Error>);
}

impl<T: Trace> Door for Ready<T> {
    fn count_in(&self, task: &dyn Task) -> (TaskId, Rc<Cell<usize>>) {
        self.count_in(task)
    }

    fn push(&self, task: Submitted, data: Data) {
        self.push(task, data);
    }

    fn stop(&self, failure: Option<io::Error>) {
        self.stopping.set(true);
        if failure.is_some() {
            self.failure.set(failure);
        }
    }
}

impl Handle {
    /// A handle to the driver that `ready` belongs to.
    pub fn new<T: Trace + 'static>(ready: Rc<Ready<T>>) -> Handle {
        Handle { ready }
    }

    /// Adds a task, which runs after those that are ready now.
    pub fn submit_task(&self, task: impl Task + 'static) {
        let (id, running) = self.ready.count_in(&task);
        self.ready.push(Submitted(Box::new(Counted { id, running, task })), Data::Start);
    }

    /// Asks for a graceful stop: no new clients, end of input for those who are there, and a
    /// few seconds for everybody to finish.
    pub fn stop(&self) {
        self.ready.stop(None);
    }

    /// Stops as well, and `run` will return this error.
    pub fn fail(&self, error: io::Error) {
        self.ready.stop(Some(error));
    }
}
// ANCHOR_END: handle

// ANCHOR: debug_handle
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
// ANCHOR_END: debug_handle
