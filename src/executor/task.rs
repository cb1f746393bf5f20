//! Tasks: futures that the executor owns, each with its waker.

use std::any::type_name;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::queue::{Queue, TaskId, TaskWaker};
use crate::scheduler::task::short_name;

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
    /// A task that runs `future`, and a handle for its result. It is woken for the first time.
    pub(super) fn new<F: Future + 'static>(
        id: TaskId,
        future: F,
        queue: &Arc<Queue>,
    ) -> (Task, JoinHandle<F::Output>) {
        let outcome =
            Rc::new(Outcome { result: Cell::new(None), waiting: Cell::new(None) });
        let ends = Ends(Rc::clone(&outcome));
        let future = Box::pin(async move {
            let ends = ends;
            ends.0.result.set(Some(future.await));
        });
        let inner = TaskWaker::new(id, Arc::clone(queue));
        let waker = Waker::from(Arc::clone(&inner));
        waker.wake_by_ref();
        let name = short_name(type_name::<F>());
        (Task { id, name, future, waker, inner }, JoinHandle { outcome })
    }

    /// Lets the task run until it has to wait, or to its end.
    pub(super) fn poll(&mut self) -> Poll<()> {
        self.inner.about_to_poll();
        self.future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Whether somebody has a waker of this task: if not, nobody will ever wake it.
    pub(super) fn can_be_woken(&self) -> bool {
        Arc::strong_count(&self.inner) > 2
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} ({})", self.id, self.name)
    }
}

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

/// The task's part of its outcome: it is dropped with the task, whatever the reason.
struct Ends<T>(Rc<Outcome<T>>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
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
