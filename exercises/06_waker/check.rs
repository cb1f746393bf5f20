//! The check of the exercise: futures that are woken never, once, too often, and while they run.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_06_waker, path = "../my/06_waker.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};

use exercise::Executor;
use exercises::Work;
use exercises::steps::hold_up;

/// A task that waits until `done` is set, counts its polls, and leaves its waker.
struct Waiting {
    polls: Rc<Cell<usize>>,
    done: Rc<Cell<bool>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Waiting {
    fn spawn(executor: &mut Executor) -> Waiting {
        let waiting =
            Waiting { polls: Rc::default(), done: Rc::default(), waker: Rc::default() };
        let (polls, done, waker) =
            (waiting.polls.clone(), waiting.done.clone(), waiting.waker.clone());
        executor.spawn(poll_fn(move |context| {
            polls.set(polls.get() + 1);
            *waker.borrow_mut() = Some(context.waker().clone());
            if done.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        waiting
    }

    fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("the first poll leaves a waker")
    }
}

#[test]
fn a_new_task_is_polled_once() {
    let mut executor = Executor::default();
    let task = Waiting::spawn(&mut executor);
    assert_eq!(task.polls.get(), 0, "polls before the first call of `run_ready`");
    executor.run_ready();
    executor.run_ready();
    assert_eq!(
        task.polls.get(),
        1,
        "polls of a task that nobody has woken: asking again without being told is a busy loop"
    );
    assert_eq!(executor.running(), 1, "it has not finished");
}

#[test]
fn who_is_woken_is_polled() {
    let mut executor = Executor::default();
    let (one, other) = (Waiting::spawn(&mut executor), Waiting::spawn(&mut executor));
    executor.run_ready();
    one.waker().wake();
    executor.run_ready();
    assert_eq!(
        one.polls.get(),
        2,
        "polls of the task, which has been woken once since its first poll: does its waker reach \
         the queue? It cannot, if the task still counts as queued, from the time before"
    );
    assert_eq!(other.polls.get(), 1, "polls of the task that was not");
}

#[test]
fn who_is_woken_three_times_is_polled_once() {
    let mut executor = Executor::default();
    let task = Waiting::spawn(&mut executor);
    executor.run_ready();
    for _ in 0..3 {
        task.waker().wake_by_ref();
    }
    assert_eq!(
        executor.run_ready(),
        1,
        "polls after three wake-ups: they all say the same, that the task can go on. One place \
         on the queue is enough"
    );
    assert_eq!(executor.run_ready(), 0, "polls after that");
}

#[test]
fn the_wakers_of_two_polls_are_for_one_task() {
    let mut executor = Executor::default();
    let task = Waiting::spawn(&mut executor);
    executor.run_ready();
    let earlier = task.waker();
    earlier.wake_by_ref();
    executor.run_ready();
    earlier.wake();
    task.waker().wake();
    assert_eq!(
        executor.run_ready(),
        1,
        "polls after two wake-ups, by the waker of an earlier poll and by that of the last one: \
         both wake the same task, and it is on the queue once if they ask the same mark"
    );
}

#[test]
fn who_has_finished_is_left_alone() {
    let mut executor = Executor::default();
    let task = Waiting::spawn(&mut executor);
    executor.run_ready();
    task.done.set(true);
    task.waker().wake();
    executor.run_ready();
    assert_eq!(
        executor.running(),
        0,
        "tasks that have not finished: there was one, its future has returned `Poll::Ready`, and \
         its task is still there. What does `poll` return, and who looks at it?"
    );
    task.waker().wake();
    executor.run_ready();
    assert_eq!(task.polls.get(), 2, "polls: a finished future must not be polled");
}

#[test]
fn who_is_woken_while_it_runs_is_polled_again() {
    let mut executor = Executor::default();
    let polls = Rc::new(Cell::new(0));
    let count = Rc::clone(&polls);
    executor.spawn(poll_fn(move |context| {
        count.set(count.get() + 1);
        context.waker().wake_by_ref(); // something happened, before the poll was over
        if count.get() == 3 { Poll::Ready(()) } else { Poll::Pending }
    }));
    for _ in 0..5 {
        executor.run_ready();
    }
    assert_eq!(
        polls.get(),
        3,
        "polls of a task that was woken during each of its polls. A wake-up that comes between \
         the task's last look and the end of the poll is lost if the task counts as queued until \
         then"
    );
    assert_eq!(executor.running(), 0, "it has finished");
}

#[test]
fn a_wake_up_from_another_thread() {
    let mut executor = Executor::default();
    let task = Waiting::spawn(&mut executor);
    executor.run_ready();
    let waker = task.waker();
    std::thread::spawn(move || waker.wake()).join().expect("waking does not panic");
    executor.run_ready();
    assert_eq!(task.polls.get(), 2, "polls after a wake-up from another thread");
}

#[test]
fn two_threads_wake_it_at_the_same_time() {
    for step in 0.. {
        let mut executor = Executor::default();
        let task = Waiting::spawn(&mut executor);
        executor.run_ready();
        let (waker, other) = (task.waker(), task.waker());
        if !hold_up(step, move || other.wake(), || waker.wake_by_ref()) {
            break;
        }
        assert_eq!(
            executor.run_ready(),
            1,
            "polls after two threads have woken the task at the same time: between two steps of \
             one `wake_by_ref`, the other one came and went. If it is on the queue twice, both \
             have asked whether it is there, both were told no, and both put it there: ask and \
             mark in one step"
        );
    }
}

#[test]
fn it_runs_while_a_thread_wakes_it() {
    for step in 0.. {
        let mut executor = Executor::default();
        let task = Waiting::spawn(&mut executor);
        executor.run_ready();
        let (waker, (stopped, is_stopped)) = (task.waker(), mpsc::channel());
        let (done, is_done) = mpsc::channel::<()>();
        let other = move || {
            let _ = stopped.send(());
            let _ = is_done.recv();
        };
        let waking = Work::start(move || hold_up(step, other, || waker.wake_by_ref()));
        if is_stopped.recv().is_err() {
            break; // it has not so many steps
        }
        executor.run_ready();
        drop(done);
        waking.end("a wake-up that was held up for a moment does not end");
        executor.run_ready();
        task.waker().wake();
        assert_eq!(
            executor.run_ready(),
            1,
            "polls after a wake-up. Before it, a thread woke the task, and between two steps of \
             its `wake_by_ref` the executor ran. If there was no poll, the task is marked as \
             queued and is not on the queue, for ever: the thread has set the mark after the \
             task had been taken off. Ask and mark in one step"
        );
    }
}
