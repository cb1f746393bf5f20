//! The check of the exercise: two futures that are ready when the check says so.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_06_join, path = "../my/06_join.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use exercise::join;

/// A value that comes later, as seen from outside.
#[derive(Clone, Default)]
struct Later {
    value: Rc<Cell<Option<u32>>>,
    waker: Rc<RefCell<Option<Waker>>>,
    polls: Rc<Cell<usize>>,
    finished: Rc<Cell<bool>>,
}

impl Later {
    fn set(&self, value: u32) {
        self.value.set(Some(value));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Future for Later {
    type Output = u32;

    fn poll(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        assert!(
            !self.finished.get(),
            "a future that had finished was polled again. What it returned must be kept until \
             the other one has finished, too"
        );
        self.polls.set(self.polls.get() + 1);
        match self.value.get() {
            Some(value) => {
                self.finished.set(true);
                Poll::Ready(value)
            }
            None => {
                *self.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn both_are_ready() {
    let mut both = pin!(join(async { 1 }, async { "two" }));
    let poll = both.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(
        poll,
        Poll::Ready((1, "two")),
        "the join of two futures that need not wait"
    );
}

#[test]
fn both_are_polled_at_once() {
    let (a, b) = (Later::default(), Later::default());
    let mut both = pin!(join(a.clone(), b.clone()));
    let poll = both.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(poll, Poll::Pending, "neither of the two is ready");
    assert_eq!(
        (a.polls.get(), b.polls.get()),
        (1, 1),
        "how often the two were polled. If the second one has to wait until the first is done, \
         you have built a sequence: two waits of a second take two"
    );
}

/// One is ready first, then the other.
fn one_by_one(first: impl Fn(&Later, &Later)) {
    let (a, b) = (Later::default(), Later::default());
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut both = pin!(join(a.clone(), b.clone()));
    let mut poll = || both.as_mut().poll(&mut context);
    assert_eq!(poll(), Poll::Pending, "neither of the two is ready");
    assert_eq!(
        count.0.load(Ordering::Relaxed),
        0,
        "how often the task was woken when nothing had happened yet: a task that wakes itself \
         is polled again and again, in a busy loop. The futures wake it when they can go on"
    );
    first(&a, &b);
    assert_eq!(
        count.0.load(Ordering::Relaxed),
        1,
        "how often the task was woken when one of the two could go on: the futures must be \
         polled with the task's own context"
    );
    assert_eq!(poll(), Poll::Pending, "one of the two is ready: join waits for both");
    assert_eq!(poll(), Poll::Pending, "polled once more, and nothing has changed");
    for (later, value) in [(&a, 1), (&b, 2)] {
        if later.value.get().is_none() {
            later.set(value);
        }
    }
    assert_eq!(poll(), Poll::Ready((1, 2)), "both are ready");
}

#[test]
fn the_first_is_ready_first() {
    one_by_one(|a, _| a.set(1));
}

#[test]
fn the_second_is_ready_first() {
    one_by_one(|_, b| b.set(2));
}
