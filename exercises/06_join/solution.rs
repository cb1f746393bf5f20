//! Two futures at once, in one task.
//!
//! The page of this exercise: chapters/exercises/06_join.md

use std::pin::Pin;
use std::task::{Context, Poll};

/// One of the two: the future, or what came of it.
enum Half<F: Future> {
    Running(Pin<Box<F>>),
    Done(Option<F::Output>),
}

impl<F: Future> Half<F> {
    /// Polls the future, unless it is done. Whether it is done now.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        // ANSWER: poll, and keep what comes of it
        match self {
            Half::Done(_) => true,
            Half::Running(future) => match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    *self = Half::Done(Some(output));
                    true
                }
                Poll::Pending => false,
            },
        }
        // ANSWER_END
    }

    /// What came of it, once.
    fn take(&mut self) -> F::Output {
        match self {
            Half::Done(output) => output.take().expect("a finished future is not polled"),
            Half::Running(_) => unreachable!(
                "`poll` said that it is done, and did not keep what came of it"
            ),
        }
    }
}

/// What [`join`] returns.
pub struct Join<A: Future, B: Future> {
    a: Half<A>,
    b: Half<B>,
}

/// Waits for both futures, and returns what came of them.
pub fn join<A: Future, B: Future>(a: A, b: B) -> Join<A, B> {
    Join { a: Half::Running(Box::pin(a)), b: Half::Running(Box::pin(b)) }
}

// The futures are in boxes of their own, and stay where they are when a `Join` is moved.
impl<A: Future, B: Future> Unpin for Join<A, B> {}

impl<A: Future, B: Future> Future for Join<A, B> {
    type Output = (A::Output, B::Output);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let join = self.get_mut();
        // ANSWER: let both go on; ready when both are done
        let a_is_done = join.a.poll(context);
        let b_is_done = join.b.poll(context);
        match a_is_done && b_is_done {
            true => Poll::Ready((join.a.take(), join.b.take())),
            false => Poll::Pending,
        }
        // ANSWER_END
    }
}
