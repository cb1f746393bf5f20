//! Tasks: futures that the executor owns, each with its waker.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::queue::{Queue, TaskWaker};
use crate::scheduler::task::short_name;
use crate::trace::TaskId;

/// Tasks that have not finished, by number.
pub(super) type Tasks = BTreeMap<TaskId, Rc<Task>>;

/// A task that has not finished.
pub(super) struct Task {
    pub id: TaskId,
    pub name: &'static str,
    future: RefCell<Pin<Box<dyn Future<Output = ()>>>>,
    /// The waker for its context, and what is inside.
    waker: Waker,
    inner: Arc<TaskWaker>,
}

impl Task {
    /// A task that runs `future`, and a handle for its result. It is woken for the first time.
    pub fn new<F: Future + 'static>(
        id: TaskId,
        future: F,
        queue: &Arc<Queue>,
    ) -> (Task, JoinHandle<F::Output>) {
        let outcome =
            Rc::new(Outcome { result: Cell::new(None), waiting: Cell::new(None) });
        let end = End(Rc::clone(&outcome));
        let future = RefCell::new(Box::pin(async move {
            let end = end;
            end.0.result.set(Some(future.await));
        }) as _);
        let inner = TaskWaker::new(id, Arc::clone(queue));
        let waker = Waker::from(Arc::clone(&inner));
        waker.wake_by_ref();
        let name = short_name(type_name::<F>());
        (Task { id, name, future, waker, inner }, JoinHandle { outcome })
    }

    /// Lets the task run until it has to wait, or to its end.
    pub fn poll(&self) -> Poll<()> {
        self.inner.about_to_poll();
        let mut future = self.future.borrow_mut();
        future.as_mut().poll(&mut Context::from_waker(&self.waker))
    }

    /// Whether anything has a waker of this task. If not, nothing will ever wake it.
    pub fn can_be_woken(&self) -> bool {
        Arc::strong_count(&self.inner) > 2 // `waker` and `inner`
    }
}

/// Waits for a task's result. If this is dropped, the task goes on without it.
pub struct JoinHandle<T> {
    outcome: Rc<Outcome<T>>,
}

impl<T> JoinHandle<T> {
    /// Whether the task has finished, or will not.
    pub(super) fn has_ended(&self) -> bool {
        Rc::strong_count(&self.outcome) == 1 // the task has dropped its part
    }

    /// The task's result, once.
    pub(super) fn take_result(&self) -> Option<T> {
        self.outcome.result.take()
    }
}

/// The task has ended without a result: it panicked, or was abandoned when its executor stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished;

/// What a task leaves behind, and the waker of the task that waits for it.
struct Outcome<T> {
    result: Cell<Option<T>>,
    waiting: Cell<Option<Waker>>,
}

/// The task's part of its outcome. It is dropped with the task, whatever the reason.
struct End<T>(Rc<Outcome<T>>);

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Unfinished>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.has_ended() {
            return Poll::Ready(self.take_result().ok_or(Unfinished));
        }
        self.outcome.waiting.set(Some(context.waker().clone()));
        Poll::Pending
    }
}
