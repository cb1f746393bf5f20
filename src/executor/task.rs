//! Tasks: futures that the executor owns, each with its waker.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

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
        // ANCHOR: result
        let mut work = Box::pin(future);
        let future = Box::pin(poll_fn(move |context: &mut Context<'_>| {
            work.as_mut().poll(context).map(|output| end.0.result.set(Some(output)))
        }));
        // ANCHOR_END: result
        TaskWaker::new(id, queue).wake();
        let name = short_name(type_name::<F>());
        let future = RefCell::new(future);
        (Task { id, name, future }, JoinHandle { outcome })
    }

    // ANCHOR: poll
    /// Lets the task run until it has to wait, or to its end. If it has cloned its waker nowhere
    /// by then, and has not been woken, its last waker is dropped here.
    pub fn poll(&self, waker: Arc<TaskWaker>) -> Poll<()> {
        waker.about_to_poll();
        let waker = Waker::from(waker);
        let mut future = self.future.borrow_mut();
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }
    // ANCHOR_END: poll
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

// ANCHOR: end
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
// ANCHOR_END: end

// ANCHOR: join
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
// ANCHOR_END: join
