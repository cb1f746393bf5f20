//! No wake-up is lost, in any order of the threads' steps.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bricks_under_loom::executor::{Executor, Stream};
use bricks_under_loom::net::Socket;
use bricks_under_loom::steps::{self, say};
use bricks_under_loom::{Verdict, World, explore, explore_up_to};
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Two threads beside the executor, or three wakes, have too many orders without such a bound.
const PREEMPTIONS: usize = 4;

/// What a thread has to tell a task. It is read and written without any order of its own: that
/// the task sees it is the wake's doing.
#[derive(Clone)]
struct Answer {
    is_there: Arc<AtomicBool>,
    /// Outside of the model: for the list of steps.
    written: Arc<std::sync::atomic::AtomicBool>,
}

impl Answer {
    fn none_yet() -> Answer {
        Answer { is_there: Arc::new(AtomicBool::new(false)), written: Arc::default() }
    }

    fn give(&self) {
        self.is_there.store(true, Relaxed);
        self.written.store(true, SeqCst);
        say("writes its answer");
    }

    /// What a task sees that is polled now.
    fn poll(&self) -> Poll<()> {
        if self.is_there.load(Relaxed) {
            say("polls the task, which sees the answer");
            return Poll::Ready(());
        }
        match self.written.load(SeqCst) {
            true => say("polls the task, which sees an old value: no answer"),
            false => say("polls the task, which sees no answer"),
        }
        Poll::Pending
    }
}

fn wake(waker: Waker) {
    say("wakes the task");
    waker.wake();
}

/// A task that begins with `first`, which has its waker, and ends when all answers are there.
fn until<const N: usize>(
    answers: [Answer; N],
    first: impl FnOnce(&Waker),
) -> impl Future<Output = ()> {
    let mut first = Some(first);
    poll_fn(move |context: &mut Context<'_>| {
        if let Some(first) = first.take() {
            first(context.waker());
        }
        let pending = answers.iter().any(|answer| answer.poll().is_pending());
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
}

/// A task that never ends, and gives its waker away when it is polled for the first time.
fn never(first: impl FnOnce(&Waker)) -> impl Future<Output = ()> {
    until([Answer::none_yet()], first)
}

fn failed(error: io::Error) -> String {
    steps::end();
    error.to_string()
}

/// Runs a task that must come to its end.
fn finishes(world: &World, task: impl Future<Output = ()> + 'static) -> Verdict {
    world.executor().block_on(task).map_err(failed)?;
    world.rings_only_for_sleeps()
}

/// Runs the tasks, which wait for ever: the executor must say so.
fn is_a_deadlock(mut executor: Executor) -> Verdict {
    match executor.run() {
        Err(error) if error.kind() == ErrorKind::Deadlock => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(()) => Err("the task has finished".into()),
    }
}

// ANCHOR: one_wake
/// During the poll, while the executor lies down, and when it sleeps.
#[test]
fn one_wake_at_any_moment() {
    explore(|world| {
        let (answer, others) = (Answer::none_yet(), world.clone());
        let task = until([answer.clone()], move |waker| {
            let waker = waker.clone();
            others.thread("thread A", move || {
                answer.give();
                wake(waker);
            });
        });
        finishes(world, task)
    });
}
// ANCHOR_END: one_wake

/// It may find that the first has put the task onto the queue, and does nothing then.
#[test]
fn a_second_wake_during_a_poll() {
    explore(|world| {
        let (answer, others) = (Answer::none_yet(), world.clone());
        let task = until([answer.clone()], move |waker| {
            let waker = waker.clone();
            others.thread("thread A", move || {
                wake(waker.clone());
                answer.give();
                wake(waker);
            });
        });
        finishes(world, task)
    });
}

/// A wake that finds the task on the queue takes nothing away from a later one.
#[test]
fn a_wake_after_one_that_did_nothing() {
    explore_up_to(PREEMPTIONS, |world| {
        let (answer, others) = (Answer::none_yet(), world.clone());
        let task = until([answer.clone()], move |waker| {
            let waker = waker.clone();
            others.thread("thread A", move || {
                wake(waker.clone());
                wake(waker.clone());
                answer.give();
                wake(waker);
            });
        });
        finishes(world, task)
    });
}

#[test]
fn two_wakers_at_once() {
    explore_up_to(PREEMPTIONS, |world| {
        let (answers, others) = ([Answer::none_yet(), Answer::none_yet()], world.clone());
        let task = until(answers.clone(), move |waker| {
            for (name, answer) in ["thread A", "thread B"].into_iter().zip(answers) {
                let waker = waker.clone();
                others.thread(name, move || {
                    answer.give();
                    wake(waker);
                });
            }
        });
        finishes(world, task)
    });
}

/// Two tasks, each with its thread.
#[test]
fn two_tasks_at_once() {
    explore_up_to(PREEMPTIONS, |world| {
        let mut executor = world.executor();
        for name in ["thread A", "thread B"] {
            let (answer, others) = (Answer::none_yet(), world.clone());
            executor.handle().spawn(until([answer.clone()], move |waker| {
                let waker = waker.clone();
                others.thread(name, move || {
                    answer.give();
                    wake(waker);
                });
            }));
        }
        executor.run().map_err(failed)?;
        world.rings_only_for_sleeps()
    });
}

/// A client wakes a task by way of the reactor, which does not ring its own bell.
#[test]
fn a_client_and_the_executor() {
    explore(|world| {
        let (mut executor, others) = (world.executor(), world.clone());
        let (socket, client) = UnixStream::pair().unwrap();
        let stream = Stream::new(Socket::new(socket).unwrap(), &executor.handle());
        others.clone().thread("client", move || others.send(&client));
        let read = async move { stream.read(&mut [0; 1]).await };
        match executor.block_on(read).map_err(failed)? {
            Ok(1) => world.rings_only_for_sleeps(),
            other => Err(format!("{other:?} in place of a byte")),
        }
    });
}

/// One thread uses the last waker but one, and another gives up the last: the task can go on.
#[test]
fn the_last_waker_is_given_up_while_another_thread_uses_one() {
    explore(|world| {
        let (answer, others) = (Answer::none_yet(), world.clone());
        let task = until([answer.clone()], move |waker| {
            let (used, given_up) = (waker.clone(), waker.clone());
            others.thread("thread A", move || {
                answer.give();
                wake(used);
            });
            others.thread("thread B", move || {
                say("gives up its waker");
                drop(given_up);
            });
        });
        finishes(world, task)
    });
}

/// Even while the executor sleeps.
#[test]
fn a_last_waker_that_is_given_up_unused_is_a_deadlock() {
    explore(|world| {
        let (executor, others) = (world.executor(), world.clone());
        executor.handle().spawn(never(move |waker| {
            let waker = waker.clone();
            others.thread("thread A", move || {
                say("gives up its waker");
                drop(waker);
            });
        }));
        is_a_deadlock(executor)
    });
}

/// It wakes no other task, and keeps none from being known to wait for ever.
#[test]
fn a_waker_outlives_its_task() {
    explore(|world| {
        let (executor, others) = (world.executor(), world.clone());
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let first = until([], move |waker| {
            *keep.lock().unwrap() = Some(waker.clone());
            let waker = waker.clone();
            others.thread("thread A", move || wake(waker));
        });
        executor.handle().spawn(first);
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        executor.handle().spawn(poll_fn(move |_| {
            counted.fetch_add(1, SeqCst);
            Poll::<()>::Pending
        }));
        let verdict = is_a_deadlock(executor);
        world.join();
        match polls.load(SeqCst) {
            1 => verdict,
            polls => Err(format!("the other task was polled {polls} times")),
        }
    });
}

/// What the tasks own is dropped, and the queue.
#[test]
fn the_executor_is_dropped_while_a_task_is_woken() {
    explore(|world| {
        let (mut executor, others) = (world.executor(), world.clone());
        let value = Arc::new(());
        let owned = Arc::clone(&value);
        executor.handle().spawn(never(move |waker| {
            let (one, other, owned) = (waker.clone(), waker.clone(), owned);
            others.thread("thread A", move || {
                wake(one);
                drop(owned);
            });
            others.thread("thread B", move || wake(other));
        }));
        let result = executor.block_on(async {});
        say("drops the executor");
        drop(executor);
        world.join();
        match Arc::strong_count(&value) {
            1 => result.map_err(|error| error.to_string()),
            _ => Err("a task still exists".into()),
        }
    });
}
