//! Wake-ups: from anywhere, at any moment, and none is lost or comes twice.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bricks::select::Select;

use crate::support::scripted::{Spied, Spy};
use crate::{PATIENCE, executor, run, run_on, yield_now};

/// Another thread wakes the task, and is done with that before the poll is over.
#[test]
fn a_wake_in_the_middle_of_a_poll_is_not_lost() {
    let mut executor = executor();
    let mut polls = 0;
    executor.handle().spawn(poll_fn(move |context| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        Poll::Pending
    }));
    executor.run().expect("it is polled again, and finishes");
}

/// Before the poller sleeps, another thread wakes a task.
struct WokenAtTheBrink {
    waker: Rc<RefCell<Option<Waker>>>,
    woken: bool,
}

impl Spy for WokenAtTheBrink {
    fn before_waiting(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        let waker = self.waker.borrow_mut().take();
        self.woken = waker.is_some();
        if let Some(waker) = waker {
            thread::spawn(move || waker.wake()).join().unwrap();
        }
        timeout
    }

    fn after_waiting(&mut self, ready: usize) {
        assert!(!self.woken || ready > 0, "it slept, and a task was ready");
    }
}

#[test]
fn a_wake_between_the_last_look_and_the_sleep_ends_the_sleep() {
    let waker = Rc::new(RefCell::new(None));
    let spy = WokenAtTheBrink { waker: Rc::clone(&waker), woken: false };
    run_on(Spied { poller: Select::default(), spy }, |_| {
        let mut polls = 0;
        poll_fn(move |context| {
            polls += 1;
            *waker.borrow_mut() = Some(context.waker().clone());
            if polls == 20 { Poll::Ready(()) } else { Poll::Pending }
        })
    });
}

/// No task waits for a socket. So nothing is ready before the sleep is over, not even the bell.
struct Undisturbed {
    waits: Rc<Cell<u32>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Spy for Undisturbed {
    fn before_waiting(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        self.waits.update(|waits| waits + 1);
        // No waker of that task is left. But there is one of another.
        drop(self.waker.borrow_mut().take());
        timeout
    }

    fn after_waiting(&mut self, ready: usize) {
        assert_eq!(ready, 0, "the bell was rung");
    }
}

#[test]
fn the_bell_is_rung_for_a_wake_during_the_sleep_only() {
    let (waits, waker) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
    let spy = Undisturbed { waits: Rc::clone(&waits), waker: Rc::clone(&waker) };
    run_on(Spied { poller: Select::default(), spy }, |handle| async move {
        handle.spawn(poll_fn(move |context| {
            *waker.borrow_mut() = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
        for _ in 0..3 {
            handle.sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waits.get() < 20, "it has not slept, but asked {} times", waits.get());
}

/// Another thread wakes the task a moment after each poll, when the executor is about to sleep: now
/// a little earlier, now a little later.
#[test]
fn no_wake_is_lost_in_many() {
    const ROUNDS: u64 = 5_000;
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (to_thread, wakers) = mpsc::channel::<Waker>();
    let thread = thread::spawn({
        let (asked, answered) = (Arc::clone(&asked), Arc::clone(&answered));
        move || {
            for (round, waker) in (1..).zip(wakers) {
                while asked.load(Ordering::SeqCst) < round {
                    thread::yield_now(); // on one processor, the other thread could not ask
                }
                (0..round % 100).for_each(|_| std::hint::spin_loop());
                answered.store(round, Ordering::SeqCst);
                waker.wake();
            }
        }
    });
    let start = Instant::now();
    run(|_| {
        let mut round = 0;
        poll_fn(move |context| {
            if answered.load(Ordering::SeqCst) < round {
                return Poll::Pending; // woken for another reason
            }
            // Where others use the processors, too, each round may take long.
            if round == ROUNDS || start.elapsed() > PATIENCE / 6 {
                return Poll::Ready(());
            }
            round += 1;
            to_thread.send(context.waker().clone()).unwrap();
            asked.store(round, Ordering::SeqCst);
            Poll::Pending
        })
    });
    thread.join().unwrap();
}

#[test]
fn whoever_is_woken_twice_has_one_turn() {
    run(|handle| async move {
        let polls = Rc::new(Cell::new(0));
        let waker = Rc::new(RefCell::new(None::<Waker>));
        let (counted, kept) = (Rc::clone(&polls), Rc::clone(&waker));
        let _task = handle.spawn(poll_fn(move |context| {
            counted.set(counted.get() + 1);
            *kept.borrow_mut() = Some(context.waker().clone());
            Poll::<()>::Pending
        }));
        yield_now().await;
        assert_eq!(polls.get(), 1);
        for _ in 0..3 {
            waker.borrow().as_ref().unwrap().wake_by_ref();
        }
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_waker_outlives_its_task_and_wakes_nobody_else() {
    [false, true].into_iter().for_each(a_waker_that_is_too_old);
}

fn a_waker_that_is_too_old(woken_at_its_end: bool) {
    run(|handle| async move {
        let waker = Rc::new(RefCell::new(None));
        let kept = Rc::clone(&waker);
        let first = handle.spawn(poll_fn(move |context| {
            *kept.borrow_mut() = Some(context.waker().clone());
            if woken_at_its_end {
                context.waker().wake_by_ref();
            }
            Poll::Ready(())
        }));
        first.await.unwrap();
        // The next one has its place.
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        let _second = handle.spawn(poll_fn(move |_| {
            counted.set(counted.get() + 1);
            Poll::<()>::Pending
        }));
        yield_now().await;
        let waker = waker.borrow_mut().take().unwrap();
        waker.wake_by_ref();
        thread::spawn(move || waker.wake()).join().unwrap();
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn block_on_is_woken_from_a_thread() {
    let value = run(|_| async {
        let (tell, told) = async_channel::bounded(1);
        thread::spawn(move || tell.send_blocking(42).unwrap());
        told.recv().await.unwrap()
    });
    assert_eq!(value, 42);
}

#[test]
fn tasks_that_nobody_can_wake_are_reported() {
    let mut waits = executor();
    waits.handle().spawn(pending::<()>());
    assert_eq!(waits.run().unwrap_err().kind(), ErrorKind::Deadlock);
    let deadlock = executor().block_on(pending::<()>()).unwrap_err();
    assert_eq!(deadlock.kind(), ErrorKind::Deadlock);
}
