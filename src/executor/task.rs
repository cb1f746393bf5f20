//! Tasks: futures that the executor owns, each with its waker.

use std::any::type_name;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use super::queue::{Queue, TaskId, TaskWaker};
use super::traced::Tracer;
use crate::task::short_name;

// ANCHOR: task
/// A task that has not finished.
pub(super) struct Task {
    id: TaskId,
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
    /// The waker for its context, and what is inside.
    waker: Waker,
    inner: Arc<TaskWaker>,
}

impl Task {
    /// Lets the task run until it has to wait, or to its end.
    #[inline(always)]
    pub(super) fn poll(&mut self) -> Poll<()> {
        self.inner.about_to_poll();
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
    // ANCHOR_END: task

    // ANCHOR: can_be_woken
    /// Whether somebody has a waker of this task: if not, nobody will ever wake it.
    pub(super) fn can_be_woken(&self) -> bool {
        Arc::strong_count(&self.inner) > 2
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} ({})", self.id.number, self.name)
    }
}
// ANCHOR_END: can_be_woken

// ANCHOR: spawned
/// A task that has been spawned, and has no place yet.
pub(super) struct Spawned {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

impl Spawned {
    /// Puts `future` into a box, with a place for its result.
    pub(super) fn new<F: Future + 'static>(
        future: F,
    ) -> (Spawned, JoinHandle<F::Output>) {
        let name = short_name(type_name::<F>());
        let outcome =
            Rc::new(Outcome { result: Cell::new(None), waiting: Cell::new(None) });
        let handle = JoinHandle { outcome: Rc::clone(&outcome) };
        let future =
            Box::pin(Joined { future: Box::pin(future), outcome: Some(outcome) });
        (Spawned { name, future }, handle)
    }

    /// The same task, followed.
    pub(super) fn followed(self, tracer: &Rc<Tracer>, number: u64) -> Spawned {
        let Spawned { name, future } = self;
        Spawned { name, future: tracer.around(number, name, future) }
    }
}
// ANCHOR_END: spawned

// ANCHOR: tasks
/// The tasks that have not finished, each at its place. A place is used again; a number is not,
/// so a waker that is older than the task at its place finds nobody.
#[derive(Default)]
pub(super) struct Tasks {
    places: Vec<Option<Box<Task>>>,
    free: Vec<usize>,
    /// How many there have been.
    numbers: u32,
}

impl Tasks {
    /// Gives a new task its place, and wakes it for the first time.
    pub(super) fn add(&mut self, Spawned { name, future }: Spawned, queue: &Arc<Queue>) {
        self.numbers = self.numbers.wrapping_add(1);
        let place = self.free.pop().unwrap_or(self.places.len());
        let id = TaskId { place: place as u32, number: self.numbers };
        let inner = TaskWaker::new(id, Arc::clone(queue));
        let waker = Waker::from(Arc::clone(&inner));
        waker.wake_by_ref();
        let task = Some(Box::new(Task { id, name, future, waker, inner }));
        match self.places.get_mut(place) {
            Some(free) => *free = task,
            None => self.places.push(task),
        }
    }

    /// The task that was woken, if it has not finished since.
    #[inline(always)]
    pub(super) fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let task = self.places.get_mut(id.place as usize)?.as_mut()?;
        (task.id.number == id.number).then_some(task)
    }

    /// Takes a task out, to end it.
    pub(super) fn remove(&mut self, place: usize) -> Option<Box<Task>> {
        let task = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(task)
    }
    // ANCHOR_END: tasks

    // ANCHOR: count
    /// The number that the next one will have.
    pub(super) fn next_number(&self) -> u64 {
        u64::from(self.numbers) + 1
    }

    /// How many have not finished.
    pub(super) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.places.iter().flatten().map(|task| &**task)
    }
}
// ANCHOR_END: count

// ANCHOR: join
/// Waits for a task's result. Whoever does not want it drops this; the task goes on.
pub struct JoinHandle<T> {
    outcome: Rc<Outcome<T>>,
}

/// The task has ended without a result: it panicked, or was abandoned when its executor stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished;

/// What the task leaves behind, and who waits for it.
struct Outcome<T> {
    result: Cell<Option<T>>,
    waiting: Cell<Option<Waker>>,
}

/// The future of a task, with a place for its result.
struct Joined<F: Future> {
    future: Pin<Box<F>>,
    outcome: Option<Rc<Outcome<F::Output>>>,
}

impl<F: Future> Future for Joined<F> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let result = ready!(self.future.as_mut().poll(context));
        if let Some(outcome) = &self.outcome {
            outcome.result.set(Some(result));
        }
        Poll::Ready(())
    }
}

impl<F: Future> Drop for Joined<F> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            let waiting = outcome.waiting.take();
            drop(outcome); // so that whoever is woken finds that the task is gone
            if let Some(waker) = waiting {
                waker.wake();
            }
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Unfinished>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.outcome.result.take() {
            return Poll::Ready(Ok(result));
        }
        if Rc::strong_count(&self.outcome) == 1 {
            return Poll::Ready(Err(Unfinished)); // the task is gone
        }
        self.outcome.waiting.set(Some(context.waker().clone()));
        Poll::Pending
    }
}
// ANCHOR_END: join

// ANCHOR: unfinished
impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task ended without a result")
    }
}

impl std::error::Error for Unfinished {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinHandle")
    }
}
// ANCHOR_END: unfinished
