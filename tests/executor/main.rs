//! The executor: wakers on any thread, futures from anywhere, and what is dropped half-way.

mod dropped;
mod foreign;
mod lines;
mod small;
mod sockets;
mod stopping;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod traced;
mod wakeups;

use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bricks::executor::{Executor, Handle, Stream};
use bricks::net::Socket;
use bricks::scheduler::poller::Poller;
use bricks::select::Select;

use support::drivers::{Panics, watch_the_clock};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// An executor on `select`, which every system has. A task that panics does not fail the test.
fn executor() -> Executor {
    watch_the_clock();
    Executor::new(Select::default(), None).unwrap()
}

/// Runs what `test` makes of a handle. A task that panics fails the test.
fn run<F: Future + 'static>(test: impl FnOnce(Handle) -> F) -> F::Output {
    run_on(Select::default(), test)
}

fn run_on<F: Future + 'static>(
    poller: impl Poller + 'static,
    test: impl FnOnce(Handle) -> F,
) -> F::Output {
    watch_the_clock();
    let mut executor = Executor::new(poller, Panics::Fail.trace()).unwrap();
    let handle = executor.handle();
    let test = test(handle.clone());
    let result = executor.block_on(handle.timeout(PATIENCE, test));
    result.expect("it has finished").expect("it does not hang")
}

/// A stream for a task, and its other end for the test.
fn pair(handle: &Handle) -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Stream::new(Socket::new(ours).unwrap(), handle), theirs)
}

/// Lets all other tasks have a turn.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls once, with a waker of no importance.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
