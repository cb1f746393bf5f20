//! The executor: wakers on any thread, futures from anywhere, and what is dropped half-way.

mod support;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use bricks::executor::both::{Either, join, race};
use bricks::executor::queue::{Queue, TaskId, TaskWaker};
use bricks::executor::{
    BufReader, Elapsed, Executor, Handle, Listener, ReadBuffer, Stream, Unfinished,
};
use bricks::net::{Socket, listen};
use bricks::poller::{Poller, Select};
use bricks::scheduler::INPUT_GRACE;
use futures_util::stream::{FuturesUnordered, StreamExt};
use proptest::prelude::*;

use support::drivers::watch_the_clock;
use support::scripted::{Client, Random, Spied, Spy};

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs what `test` makes of a handle; on `select`, which every system has.
fn run<F: Future>(test: impl FnOnce(Handle<Select>) -> F) -> F::Output {
    run_on(Select::default(), test)
}

fn run_on<P: Poller, F: Future>(
    poller: P,
    test: impl FnOnce(Handle<P>) -> F,
) -> F::Output {
    watch_the_clock();
    let mut executor = Executor::on(poller).unwrap();
    let handle = executor.handle();
    let test = test(handle.clone());
    let result = executor.block_on(handle.timeout(PATIENCE, test));
    result.expect("it was not stopped").expect("it does not hang")
}

/// A stream for a task, and its other end for the test.
fn pair<P: Poller>(handle: &Handle<P>) -> (Stream<P>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Stream::new(Socket::new(ours).unwrap(), handle), theirs)
}

/// Lets everybody else have a turn.
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
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

// Wake-ups.

// ANCHOR: wake_while_running
/// Another thread wakes the task, and is done with that before the poll is over.
#[test]
fn a_wake_in_the_middle_of_a_poll_is_not_lost() {
    watch_the_clock();
    let mut executor = Executor::on(Select::default()).unwrap();
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
// ANCHOR_END: wake_while_running

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

// ANCHOR: ping_pong
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
                    thread::yield_now(); // on one processor, nobody else could ask
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
// ANCHOR_END: ping_pong

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

// ANCHOR: deadlock
#[test]
fn tasks_that_nobody_can_wake_are_reported() {
    watch_the_clock();
    let mut executor = Executor::on(Select::default()).unwrap();
    executor.handle().spawn(pending::<()>());
    assert_eq!(executor.run().unwrap_err().kind(), ErrorKind::Deadlock);
    let mut executor = Executor::on(Select::default()).unwrap();
    assert_eq!(
        executor.block_on(pending::<()>()).unwrap_err().kind(),
        ErrorKind::Deadlock
    );
}
// ANCHOR_END: deadlock

// The ready queue, beside a model.

#[derive(Clone, Copy, Debug)]
enum Step {
    Wake(usize),
    WakeFromAThread(usize),
    Take,
    Poll(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5usize).prop_map(Step::Wake),
        1 => (0..5usize).prop_map(Step::WakeFromAThread),
        2 => Just(Step::Take),
        3 => (0..5usize).prop_map(Step::Poll),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A task that has been woken is on the queue once, in the order of the first wakes; after
    /// its poll has begun, the next wake puts it there again. And the bell has been rung if
    /// somebody came while the executor slept, else not.
    #[test]
    fn the_ready_queue_behaves_like_its_model(steps in steps()) {
        let (queue, bell) = Queue::new().unwrap();
        bell.set_nonblocking(true).unwrap();
        let id = |n: usize| TaskId { place: n as u32, number: n as u32 + 1 };
        let wakers: Vec<_> =
            (0..5).map(|place| TaskWaker::new(id(place), Arc::clone(&queue))).collect();
        let (mut expected, mut queued) = (vec![], [false; 5]);
        let (mut asleep, mut rung) = (false, false);
        let mut wake = |task: usize, expected: &mut Vec<_>, queued: &mut [bool; 5], asleep: &mut bool| {
            if !std::mem::replace(&mut queued[task], true) {
                expected.push(id(task));
                rung |= std::mem::take(asleep);
            }
        };
        for step in steps {
            match step {
                Step::Wake(task) => {
                    wakers[task].wake_by_ref();
                    wake(task, &mut expected, &mut queued, &mut asleep);
                }
                Step::WakeFromAThread(task) => {
                    let waker = Waker::from(Arc::clone(&wakers[task]));
                    thread::spawn(move || waker.wake()).join().unwrap();
                    wake(task, &mut expected, &mut queued, &mut asleep);
                }
                Step::Take => {
                    let mut batch = vec![];
                    let some = queue.take_or_fall_asleep(&mut batch);
                    prop_assert_eq!(some, !expected.is_empty());
                    asleep = !some;
                    prop_assert_eq!(batch, std::mem::take(&mut expected));
                    // Those who are taken are polled sooner or later; here later.
                }
                Step::Poll(task) => {
                    // Only who has been taken is polled.
                    if queued[task] && !expected.contains(&id(task)) {
                        wakers[task].about_to_poll();
                        queued[task] = false;
                    }
                }
            }
        }
        let heard = (&bell).read(&mut [0; 100]).is_ok();
        prop_assert_eq!(heard, rung);
    }
}

// Tasks.

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

    run(|handle| async move {
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
    });
}

#[test]
fn what_is_spawned_too_late_is_dropped() {
    let value = Rc::new(());
    let executor = Executor::on(Select::default()).unwrap();
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
    struct SpawnsWhenDropped(Handle<Select>, Rc<()>);

    impl Drop for SpawnsWhenDropped {
        fn drop(&mut self) {
            self.0.spawn(ready(Rc::clone(&self.1)));
        }
    }

    let value = Rc::new(());
    let mut executor = Executor::on(Select::default()).unwrap();
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

// ANCHOR: share
/// One task has 1,000 bytes to read and never has to wait. Another one counts its turns.
#[test]
fn a_task_that_never_waits_has_a_share_like_others() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        theirs.write_all(&[7; 1000]).unwrap();
        let turns = Rc::new(Cell::new(0));
        let counted = Rc::clone(&turns);
        handle.spawn(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        let busy = handle.spawn(async move {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 1); // it may wait for the first
            let before = turns.get();
            for _ in 1..1000 {
                assert_eq!(stream.read(&mut [0]).await.unwrap(), 1);
            }
            turns.get() - before
        });
        let turns = busy.await.unwrap();
        assert!(turns >= 1000 / 20, "only {turns} turns");
    });
}
// ANCHOR_END: share

// Time.

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

// Sockets.

#[test]
fn echoes_and_lines() {
    run(|handle| async move {
        let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let addr = sock.local_addr().unwrap();
        let listener = Listener::new(sock, &handle);
        let client = thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(addr).unwrap();
            stream.write_all(b"one\ntwo").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            answers
        });
        let (client_stream, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(&client_stream);
        while let Some(line) = lines.read_line().await.unwrap() {
            client_stream.write_all(&[b"<", line, b">"].concat()).await.unwrap();
        }
        client_stream.close().await;
        assert_eq!(client.join().unwrap(), "<one\n><two>");
    });
}

/// The second would replace the first one's waker, and the first would never be woken.
#[test]
fn the_second_reader_is_refused_and_the_first_goes_on() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let stream = Rc::new(stream);
        let first = handle.spawn({
            let stream = Rc::clone(&stream);
            async move { stream.read(&mut [0; 9]).await }
        });
        yield_now().await;
        let second = stream.read(&mut [0]).await;
        assert_eq!(second.unwrap_err().kind(), ErrorKind::ResourceBusy);
        // To write is another matter.
        stream.write_all(b"x").await.unwrap();
        theirs.write_all(b"hello").unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 5);
    });
}

/// The first one has been told, and the second comes before it: then the first one waits again,
/// and must not push the second one out.
#[test]
fn a_reader_that_was_overtaken_waits_or_is_refused_but_disturbs_nobody() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let (mut one, mut other, mut third) = ([0; 1], [0; 1], [0; 1]);
        let mut first = pin!(stream.read(&mut one));
        poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        theirs.write_all(b"a").unwrap();
        handle.sleep(Duration::from_millis(1)).await; // the reactor tells the first one
        assert_eq!(stream.read(&mut other).await.unwrap(), 1);
        let mut late = pin!(stream.read(&mut third));
        poll_fn(|context| {
            assert!(late.as_mut().poll(context).is_pending());
            match first.as_mut().poll(context) {
                Poll::Ready(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::ResourceBusy)
                }
                other => panic!("{other:?}"),
            }
            Poll::Ready(())
        })
        .await;
        theirs.write_all(b"b").unwrap();
        assert_eq!(late.await.unwrap(), 1);
        assert_eq!(other, *b"a");
    });
}

// ANCHOR: one_edge
/// Data and the end of input are there at once. The read takes less than it could have, which
/// looks as if nothing more would come without a new report.
#[test]
fn data_and_the_end_in_one_report() {
    watch_the_clock();
    let mut executor = Executor::new().unwrap();
    let handle = executor.handle();
    let (stream, mut theirs) = pair(&handle);
    let reading = async {
        let mut buffer = [0; 100];
        let mut counts = vec![];
        for _ in 0..2 {
            counts.push(stream.read(&mut buffer).await.unwrap());
        }
        counts
    };
    let sending = async {
        yield_now().await; // now the reader waits
        theirs.write_all(b"hello").unwrap();
        drop(theirs);
    };
    let both = handle.timeout(PATIENCE, join(reading, sending));
    let (counts, ()) =
        executor.block_on(both).unwrap().expect("the end of input is seen");
    assert_eq!(counts, [5, 0]);
}
// ANCHOR_END: one_edge

/// Whatever the poller says, ready or not, in any order: no byte is lost or comes twice.
#[test]
fn no_byte_is_lost_with_a_random_poller() {
    for seed in 0..40 {
        watch_the_clock();
        let clients = Rc::new(RefCell::new(vec![]));
        let poller = Random::new(seed, seed % 2 == 0, Rc::clone(&clients));
        let mut executor = Executor::on(poller).unwrap();
        let handle = executor.handle();
        let mut tasks = vec![];
        for number in 0..5 {
            let (stream, theirs) = pair(&handle);
            let size = [0, 1, 5_000, 300_000, 70_000][number];
            clients.borrow_mut().push(Client::new(theirs, size, seed + number as u64));
            tasks.push(handle.spawn(async move {
                let mut buffer = ReadBuffer::new();
                loop {
                    let count = stream.read(&mut buffer).await.unwrap();
                    if count == 0 {
                        break;
                    }
                    stream.write_all(&buffer[..count]).await.unwrap();
                    buffer.adapt_to(count);
                }
            }));
        }
        executor.run().unwrap();
        for task in tasks {
            assert_eq!(poll_once(&mut { task }), Poll::Ready(Ok(())));
        }
        for client in clients.borrow_mut().iter_mut() {
            client.finish();
            assert!(client.received == client.data, "seed {seed}");
        }
    }
}

// What is dropped half-way.

// ANCHOR: cancelled_read
/// A read that is dropped has taken nothing, or it would have been ready.
#[test]
fn a_dropped_read_loses_no_byte() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let sent: Vec<u8> = (0..=255).collect();
        let to_send = sent.clone();
        let (begin, may_begin) = mpsc::channel();
        let thread = thread::spawn(move || {
            may_begin.recv().unwrap();
            for piece in to_send.chunks(3) {
                theirs.write_all(piece).unwrap();
                thread::yield_now();
            }
        });
        let (mut received, mut dropped) = (vec![], 0);
        loop {
            let mut buffer = [0; 10];
            match race(stream.read(&mut buffer), yield_now()).await {
                Either::First(Ok(0)) => break,
                Either::First(count) => {
                    received.extend_from_slice(&buffer[..count.unwrap()])
                }
                Either::Second(()) => {
                    dropped += 1;
                    let _ = begin.send(()); // after the first, or when it has begun
                }
            }
        }
        thread.join().unwrap();
        assert_eq!(received, sent);
        assert!(dropped > 0, "no read was dropped");
    });
}
// ANCHOR_END: cancelled_read

// ANCHOR: cancelled_write
/// A `write_all` that is dropped has sent something, and whoever dropped it does not know what.
#[test]
fn a_dropped_write_all_has_sent_a_part() {
    run(|handle| async move {
        const MUCH: usize = 8 * 1024 * 1024;
        let (stream, mut theirs) = pair(&handle);
        let much = vec![7; MUCH];
        let sent =
            handle.timeout(Duration::from_millis(20), stream.write_all(&much)).await;
        assert!(matches!(sent, Err(Elapsed)), "nobody reads it");
        drop(stream);
        let mut arrived = vec![];
        theirs.read_to_end(&mut arrived).unwrap();
        assert!(!arrived.is_empty() && arrived.len() < MUCH, "{} bytes", arrived.len());
    });
}
// ANCHOR_END: cancelled_write

/// Whoever waits no more is not woken, and does not stand in the way of the next one.
#[test]
fn a_dropped_read_is_forgotten() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        for _ in 0..3 {
            let mut buffer = [0; 9];
            let mut read = stream.read(&mut buffer);
            let counter = Arc::new(Count::default());
            let waker = Waker::from(Arc::clone(&counter));
            let pinned = std::pin::Pin::new(&mut read);
            assert!(pinned.poll(&mut Context::from_waker(&waker)).is_pending());
            drop(read);
            assert_eq!(Arc::strong_count(&counter), 2, "the reactor keeps its waker");
        }
        theirs.write_all(b"x").unwrap();
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 1);
    });
}

/// A short read says that the socket was empty, at that time. What comes while its task waits for
/// something else is reported once, and must not be taken for what was there before.
#[test]
fn what_comes_after_a_short_read_is_not_lost() {
    run_on(bricks::executor::system().unwrap(), |handle| async move {
        let (stream, mut theirs) = pair(&handle);
        for _ in 0..3 {
            theirs.write_all(b"first").unwrap();
            assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 5);
            theirs.write_all(b"next").unwrap();
            handle.sleep(Duration::from_millis(1)).await; // and the reactor hears of it
            assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 4);
        }
    });
}

/// A future that has been polled in one task may go on in another: the latest waker counts.
#[test]
fn the_latest_waker_counts() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let mut read = Box::pin(async move { stream.read(&mut [0; 9]).await });
        assert!(poll_once(&mut read).is_pending());
        let task = handle.spawn(read);
        yield_now().await;
        theirs.write_all(b"moved").unwrap();
        assert_eq!(task.await.unwrap().unwrap(), 5);
    });
}

#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// The stop.

#[test]
fn a_stop_ends_waits_and_keeps_what_is_there() {
    run(|handle| async move {
        let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let listener = Listener::new(sock, &handle);
        let server = handle.spawn(async move { listener.accept().await.map(|_| ()) });
        let (idle, _idle_end) = pair(&handle);
        let waiting = handle.spawn(async move { idle.read(&mut [0]).await });
        let (stream, mut theirs) = pair(&handle);
        yield_now().await;
        theirs.write_all(b"owed").unwrap();
        handle.stop();
        assert_eq!(server.await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(waiting.await.unwrap().unwrap(), 0);
        // What the kernel holds is still taken, also by a stream that is made after the stop.
        let mut buffer = [0; 3];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 3);
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 1);
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
        let (late, mut late_end) = pair(&handle);
        late_end.write_all(b"x").unwrap();
        assert_eq!(late.read(&mut buffer).await.unwrap(), 1);
        assert_eq!(late.read(&mut buffer).await.unwrap(), 0);
        late.write_all(b"sending goes on").await.unwrap();
    });
}

/// A client that sends without end must not keep the server from ending.
#[test]
fn a_stop_takes_input_for_a_second_at_most() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let enough = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&enough);
        let flood = thread::spawn(move || {
            while !until.load(Ordering::SeqCst) && theirs.write_all(&[0; 1000]).is_ok() {}
        });
        assert!(stream.read(&mut [0; 9]).await.unwrap() > 0);
        handle.stop();
        let start = Instant::now();
        while stream.read(&mut [0; 9]).await.unwrap() > 0 {}
        // Not a measurement: without the limit it would go on for as long as the flood does.
        assert!(start.elapsed() < 10 * INPUT_GRACE, "{:?}", start.elapsed());
        enough.store(true, Ordering::SeqCst);
        drop(stream);
        flood.join().unwrap();
    });
}

/// Closing waits for the other side, even while the executor stops.
#[test]
fn a_stop_does_not_cut_a_close_short() {
    run(|handle| async move {
        let (stream, theirs) = pair(&handle);
        let closed = Rc::new(Cell::new(false));
        let is_closed = Rc::clone(&closed);
        let closing = handle.spawn(async move {
            stream.close().await;
            is_closed.set(true);
        });
        yield_now().await;
        handle.stop();
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!closed.get());
        drop(theirs);
        closing.await.unwrap();
    });
}

// Futures that know nothing of this executor.

// ANCHOR: foreign
/// `async-channel` and `futures-util` work on any executor: a waker is all that they ask for.
#[test]
fn foreign_futures_run() {
    run(|handle| async move {
        let (numbers, input) = async_channel::bounded::<u32>(2);
        let mut input = pin!(input);
        for task in 0..4 {
            let (numbers, sleeper) = (numbers.clone(), handle.clone());
            handle.spawn(async move {
                for i in 0..10 {
                    sleeper.sleep(Duration::from_micros(100)).await;
                    numbers.send(task * 10 + i).await.unwrap();
                }
            });
        }
        let from_a_thread = numbers.clone();
        let thread = thread::spawn(move || {
            (40..50).for_each(|i| from_a_thread.send_blocking(i).unwrap());
        });
        drop(numbers);
        let mut received = vec![];
        while let Some(number) = input.next().await {
            received.push(number);
        }
        received.sort_unstable();
        assert!(received.into_iter().eq(0..50));
        thread.join().unwrap();
    });
}
// ANCHOR_END: foreign

/// `FuturesUnordered` gives each future a waker of its own.
#[test]
fn leaf_futures_run_inside_foreign_ones() {
    run(|handle| async move {
        let (streams, ends): (Vec<_>, Vec<_>) = (0..50).map(|_| pair(&handle)).unzip();
        let reads = streams.iter().map(|stream| async move {
            let mut buffer = [0];
            stream.read(&mut buffer).await.unwrap();
            buffer[0]
        });
        let mut reads: FuturesUnordered<_> = reads.collect();
        let thread = thread::spawn(move || {
            for (number, mut end) in (0..50).zip(ends).rev() {
                end.write_all(&[number]).unwrap();
            }
        });
        let mut received = vec![];
        while let Some(number) = reads.next().await {
            received.push(number);
        }
        received.sort_unstable();
        assert!(received.into_iter().eq(0..50));
        thread.join().unwrap();
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
