//! Tasks: their results, their ends, their shares, and time.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::io::{self, ErrorKind, Write};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bricks::executor::both::join;
use bricks::executor::{Elapsed, Handle, Unfinished};

use crate::{executor, pair, poll_once, run, yield_now};

#[test]
fn results_are_waited_for() {
    run(|handle| async move {
        let one = handle.spawn(async { 1 });
        let later = handle.spawn({
            let handle = handle.clone();
            async move {
                handle.sleep(Duration::from_millis(5)).await;
                2
            }
        });
        yield_now().await; // the first has finished by now
        assert_eq!((one.await, later.await), (Ok(1), Ok(2)));
    });
}

#[test]
fn a_panicking_task_ends_alone() {
    /// Panics once more.
    struct Worse;

    impl Drop for Worse {
        fn drop(&mut self) {
            panic!("and this is when it is dropped");
        }
    }

    let mut executor = executor();
    let handle = executor.handle();
    let others_go_on = async move {
        let sleeper = handle.clone();
        let other =
            handle.spawn(async move { sleeper.sleep(Duration::from_millis(20)).await });
        let failing = handle.spawn(async { panic!("this is expected") });
        let worse = handle.spawn(async {
            let _worse = Worse;
            pending::<()>().await;
        });
        assert_eq!(failing.await, Err(Unfinished));
        assert_eq!(other.await, Ok(()));
        drop(worse);
    };
    executor.block_on(others_go_on).expect("it has finished");
}

#[test]
fn what_is_spawned_too_late_is_dropped() {
    let value = Rc::new(());
    let executor = executor();
    let handle = executor.handle();
    drop(executor);
    let held = Rc::clone(&value);
    let task = handle.spawn(async move { drop(held) });
    assert_eq!(Rc::strong_count(&value), 1);
    assert_eq!(poll_once(&mut { task }), Poll::Ready(Err(Unfinished)));
}

/// A task owns a handle, and so, by a detour, itself.
#[test]
fn tasks_are_dropped_with_their_executor() {
    struct SpawnsWhenDropped(Handle, Rc<()>);

    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            self.0.spawn(ready(Rc::clone(&self.1)));
        }
    }

    let value = Rc::new(());
    let mut executor = executor();
    let handle = executor.handle();
    let owned = SpawnsWhenDropped(handle.clone(), Rc::clone(&value));
    let sleeper = handle.clone();
    handle.spawn(async move {
        sleeper.sleep(Duration::from_secs(1000)).await;
        drop(owned);
    });
    let (stream, _theirs) = pair(&handle);
    handle.spawn(async move { stream.read(&mut [0]).await });
    executor.block_on(yield_now()).unwrap();
    drop((executor, handle));
    assert_eq!(Rc::strong_count(&value), 1);
}

/// With `run` and with `block_on`, whatever the future's result is.
#[test]
fn a_failure_is_returned() {
    let failing = || {
        let executor = executor();
        let handle = executor.handle();
        handle.clone().spawn(async move { handle.fail(io::Error::other("no")) });
        executor
    };
    let no = |error: io::Error| assert_eq!(error.to_string(), "no");
    no(failing().run().unwrap_err());
    no(failing().block_on(pending::<()>()).unwrap_err());
    no(failing().block_on(yield_now()).unwrap_err());
}

/// The limit is that of the call, however late what it returns is polled.
#[test]
fn a_limit_runs_from_the_call_on() {
    run(|handle| async move {
        let limit = Duration::from_millis(20);
        let late = handle.timeout(limit, pending::<()>());
        handle.sleep(limit).await;
        assert!(matches!(poll_once(&mut pin!(late)), Poll::Ready(Err(Elapsed))));
    });
}

/// 30 tasks that make each other ready all the time, and one that waits for a socket.
#[test]
fn busy_tasks_let_the_reactor_look() {
    run(|handle| async move {
        let stop = Rc::new(Cell::new(false));
        for _ in 0..30 {
            let stop = Rc::clone(&stop);
            handle.spawn(async move {
                while !stop.get() {
                    yield_now().await;
                }
            });
        }
        let (stream, mut theirs) = pair(&handle);
        let thread = thread::spawn(move || theirs.write_all(b"x").unwrap());
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 1);
        stop.set(true);
        thread.join().unwrap();
    });
}

/// A task that writes has nearly always room for more, and so never waits. After its share it lets
/// others go on: one that counts its turns, and one that hears of a byte that is there.
#[test]
fn a_task_that_never_waits_has_a_share_like_others() {
    run(|handle| async move {
        let (stream, _theirs) = pair(&handle);
        let (patient, mut to_patient) = pair(&handle);
        to_patient.write_all(b"x").unwrap();
        let (writes, turns) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let counted = Rc::clone(&turns);
        handle.spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        let so_far = Rc::clone(&writes);
        let hearing = handle.spawn(async move {
            assert_eq!(patient.read(&mut [0]).await.unwrap(), 1);
            so_far.get()
        });
        let busy = handle.spawn(async move {
            let before = turns.get();
            for count in 1..=100 {
                assert_eq!(stream.write(b"x").await.unwrap(), 1);
                writes.set(count);
            }
            turns.get() - before
        });
        let turns = busy.await.unwrap();
        assert!(turns >= 100 / 20, "the other one had only {turns} turns");
        let writes = hearing.await.unwrap();
        assert!(writes < 50, "it has heard after {writes} writes of the other");
    });
}

/// A sleep of no time and an error that is ignored do not wait either.
#[test]
fn what_is_over_at_once_has_a_share_too() {
    run(|handle| async move {
        let (stream, _theirs) = pair(&handle);
        let stream = Rc::new(stream);
        let first = Rc::clone(&stream);
        handle.spawn(async move { first.read(&mut [0]).await.map(drop) });
        yield_now().await; // that one waits
        let sleeper = handle.clone();
        handle.spawn(async move {
            loop {
                sleeper.sleep(Duration::ZERO).await;
            }
        });
        handle.spawn(async move {
            loop {
                let error = stream.read(&mut [0]).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ResourceBusy);
            }
        });
        handle.sleep(Duration::from_millis(1)).await; // and both let this task have its turns
    });
}

/// One task always has something to read, and another waits for a byte that is there: the executor
/// has to look.
#[test]
fn a_task_that_always_has_input_keeps_no_task_from_hearing() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let (patient, mut to_patient) = pair(&handle);
        theirs.write_all(&[7; 2000]).unwrap();
        let reads = Rc::new(Cell::new(0));
        let counted = Rc::clone(&reads);
        let hearing = handle.spawn(async move {
            assert_eq!(patient.read(&mut [0]).await.unwrap(), 1);
            counted.get()
        });
        let busy = handle.spawn(async move {
            for count in 1..=2000 {
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 1);
                if count == 1 {
                    to_patient.write_all(b"x").unwrap();
                }
                reads.set(count);
            }
        });
        let reads = hearing.await.unwrap();
        assert!(reads <= 100, "it has heard after {reads} reads of the other");
        busy.await.unwrap();
    });
}

/// Reads take what is there without a wait while the executor stops: then they have a share, too.
#[test]
fn a_task_that_reads_during_a_stop_lets_others_go_on() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        theirs.write_all(&[7; 100]).unwrap();
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        handle.spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        handle.stop();
        let busy = handle.spawn(async move {
            let before = turns.get();
            while stream.read(&mut [0]).await.unwrap() > 0 {}
            turns.get() - before
        });
        let turns = busy.await.unwrap();
        assert!(turns >= 100 / 20, "the other one had only {turns} turns");
    });
}

#[test]
fn sleepers_wake_in_the_order_of_time() {
    run(|handle| async move {
        let order = Rc::new(RefCell::new(vec![]));
        let start = Instant::now();
        let tasks: Vec<_> = [30, 10, 20, 0]
            .map(|time| {
                let (sleeper, order) = (handle.clone(), Rc::clone(&order));
                handle.spawn(async move {
                    // Until a moment of one clock: a busy machine may run this late.
                    let until = start + Duration::from_millis(200 + time);
                    sleeper.sleep(until.saturating_duration_since(Instant::now())).await;
                    order.borrow_mut().push(time);
                })
            })
            .into_iter()
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(230));
        assert_eq!(*order.borrow(), [0, 10, 20, 30]);
    });
}

#[test]
fn what_takes_too_long_is_dropped() {
    run(|handle| async move {
        let value = Rc::new(());
        let owned = Rc::clone(&value);
        let never = async move {
            pending::<()>().await;
            drop(owned);
        };
        assert_eq!(handle.timeout(Duration::from_millis(1), never).await, Err(Elapsed));
        assert_eq!(Rc::strong_count(&value), 1);
        assert_eq!(handle.timeout(Duration::MAX, ready(1)).await, Ok(1));
    });
}

#[test]
fn join_polls_nobody_who_is_ready() {
    run(|handle| async move {
        let slow = async {
            handle.sleep(Duration::from_millis(2)).await;
            1
        };
        assert_eq!(join(ready(0), slow).await, (0, 1));
    });
}
