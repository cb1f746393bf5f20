//! Tasks: what can be suspended at a wait and resumed with its result.
//!
//! A [`Task`] is what a Python generator is to the scheduler of the article: `send(data)`
//! resumes it with a result, it runs up to its next wait, and returns the event that it waits
//! for. There are two ways to write one.
//!
//! *By hand*: a type that remembers between two `send`s where it was and what it needs to go on,
//! a state machine. `examples/by_hand.rs` does that.
//!
//! *By the compiler*: an `async` block is exactly such a machine. Its method is called `poll`, it
//! takes no result and returns no event, so a [`Coroutine`] puts a mailbox beside it:
//! [`Co::yield_`] leaves the event there and suspends, `send` leaves the result there and polls.

use std::any;
use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::event::{Data, Event, Yield};

// ANCHOR: task
/// A coroutine: resumed with a result, it runs until it waits for the next event.
pub trait Task {
    /// Resumes the task with the result of the event that it yielded last
    /// ([`Data::Start`] the first time). Not to be called again once it has finished.
    fn send(&mut self, data: Data) -> Resumed;

    /// What to call it in messages and traces.
    fn name(&self) -> &'static str {
        short_name(any::type_name::<Self>())
    }
}
// ANCHOR_END: task

impl Task for Box<dyn Task> {
    fn send(&mut self, data: Data) -> Resumed {
        (**self).send(data)
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }
}

// ANCHOR: resumed
/// How far a task came.
#[derive(Debug)]
pub enum Resumed {
    /// It waits for this event. The location is the line of its source where it is suspended.
    Yielded(Event, &'static Location<'static>),
    /// It will not come back.
    Finished,
}
// ANCHOR_END: resumed

impl Resumed {
    /// For tasks written by hand: this event, yielded at the caller's line.
    #[track_caller]
    pub fn yielded(event: impl Into<Event>) -> Resumed {
        Resumed::Yielded(event.into(), Location::caller())
    }
}

/// A task that the compiler writes: an `async` closure, driven as a generator.
///
/// ```
/// use bricks::scheduler::event::{Data, sleep};
/// use bricks::scheduler::task::{Co, Coroutine, Resumed, Task};
/// use std::time::Duration;
///
/// let mut task = Coroutine::new(async |co: Co| {
///     co.yield_(sleep(Duration::from_secs(1))).await;
/// });
/// assert!(matches!(task.send(Data::Start), Resumed::Yielded(..)));
/// assert!(matches!(task.send(Data::Slept), Resumed::Finished));
/// ```
// ANCHOR: coroutine
pub struct Coroutine<Body> {
    future: Pin<Box<Body>>,
    mailbox: Rc<Mailbox>,
    path: &'static str, // of its source, for the name
}
// ANCHOR_END: coroutine

impl<Body: Future<Output = ()>> Coroutine<Body> {
    /// Makes a coroutine and runs none of it: that takes the first `send`.
    pub fn new<F: FnOnce(Co) -> Body>(body: F) -> Coroutine<Body> {
        let mailbox = Rc::new(Mailbox::default());
        let co = Co { mailbox: Rc::clone(&mailbox) };
        Coroutine { future: Box::pin(body(co)), mailbox, path: any::type_name::<F>() }
    }
}

impl<Body: Future<Output = ()>> Task for Coroutine<Body> {
    /// # Panics
    ///
    /// If the body awaits something that is not an event of this library: nobody would ever
    /// resume it.
    // ANCHOR: coroutine_send
    fn send(&mut self, data: Data) -> Resumed {
        self.mailbox.data.set(Some(data));
        // The event says when to go on, so the waker that `poll` wants does nothing.
        let mut context = Context::from_waker(Waker::noop());
        match self.future.as_mut().poll(&mut context) {
            Poll::Ready(()) => Resumed::Finished,
            Poll::Pending => match self.mailbox.event.take() {
                Some((event, location)) => Resumed::Yielded(event, location),
                None => panic!(
                    "{} awaits a future that yields no event, so nothing would resume it: \
                     only `co.yield_(…).await` can wait here",
                    self.name()
                ),
            },
        }
    }
    // ANCHOR_END: coroutine_send

    fn name(&self) -> &'static str {
        short_name(self.path)
    }
}

const ONE_AT_A_TIME: &str = "a task can wait for one event at a time";

// ANCHOR: mailbox
/// What passes between a suspended `async` block and the scheduler.
#[derive(Default)]
struct Mailbox {
    /// On its way out: the event that the task waits for, and where.
    event: Cell<Option<(Event, &'static Location<'static>)>>,
    /// On its way in: the result.
    data: Cell<Option<Data>>,
}

/// A coroutine's end of the mailbox: what its body yields events with.
pub struct Co {
    mailbox: Rc<Mailbox>,
}
// ANCHOR_END: mailbox

impl Co {
    /// Hands `event` to the scheduler; `.await` suspends the task until it has happened, and
    /// returns its result. Python writes `yield event`; here it is `co.yield_(event).await`.
    ///
    /// # Panics
    ///
    /// If another event of this task has been handed out and not awaited (or is awaited at the
    /// same time, by a `join` of two): a task is suspended in one place at a time.
    // ANCHOR: yield_
    #[track_caller]
    pub fn yield_<E: Yield>(&self, event: E) -> Yielding<'_, E::Output> {
        // Not `async`, so that `Location::caller` is the line that says `yield_`.
        let event = (event.into(), Location::caller());
        let other = self.mailbox.event.replace(Some(event));
        assert!(other.is_none(), "{ONE_AT_A_TIME}");
        Yielding { mailbox: &self.mailbox, handed_out: false, output: E::output }
    }
    // ANCHOR_END: yield_
}

// ANCHOR: yielding
/// The future that [`Co::yield_`] returns. The first `poll` suspends the task, so that the
/// scheduler finds the event; the second finds the result.
#[must_use = "the task goes on as if nothing were waited for, unless you `.await` this"]
pub struct Yielding<'a, Output> {
    mailbox: &'a Mailbox,
    handed_out: bool,
    output: fn(Data) -> Option<Output>, // takes the result out
}

impl<Output> Future for Yielding<'_, Output> {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Output> {
        if !self.handed_out {
            self.handed_out = true;
            return Poll::Pending;
        }
        let data = self.mailbox.data.take();
        Poll::Ready(data.and_then(self.output).expect(ONE_AT_A_TIME))
    }
}
// ANCHOR_END: yielding

/// `client_handler` from `04_scheduler::client_handler::{{closure}}`.
pub(crate) fn short_name(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    let named = path.rsplit("::").find(|part| !part.starts_with('{'));
    named.unwrap_or(path)
}
