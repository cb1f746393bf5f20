//! What is dropped half-way.

use std::io::{Read, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use bricks::epoll::epoll_or_select;
use bricks::executor::Elapsed;
use bricks::executor::both::{Either, race};

use crate::{PATIENCE, pair, poll_once, run, run_on, yield_now};

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
/// A `write_all` that is dropped has sent a part, and nothing says which.
#[test]
fn a_dropped_write_all_has_sent_a_part() {
    run(|handle| async move {
        const MUCH: usize = 8 * 1024 * 1024;
        let (stream, mut theirs) = pair(&handle);
        let much = vec![7; MUCH];
        let sent =
            handle.timeout(Duration::from_millis(20), stream.write_all(&much)).await;
        assert!(matches!(sent, Err(Elapsed)), "the other end does not read");
        drop(stream);
        let mut arrived = vec![];
        theirs.read_to_end(&mut arrived).unwrap();
        assert!(!arrived.is_empty() && arrived.len() < MUCH, "{} bytes", arrived.len());
    });
}
// ANCHOR_END: cancelled_write

/// A future that is dropped is not woken, and does not stand in the way of the next one.
#[test]
fn a_dropped_read_is_forgotten() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        for _ in 0..3 {
            let mut buffer = [0; 9];
            let counter = Arc::new(Count::default());
            let waker = Waker::from(Arc::clone(&counter));
            {
                let read = pin!(stream.read(&mut buffer));
                assert!(read.poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!(Arc::strong_count(&counter), 2, "the reactor keeps its waker");
        }
        theirs.write_all(b"x").unwrap();
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 1);
    });
}

/// The same with a sleep.
#[test]
fn a_dropped_sleep_is_forgotten() {
    run(|handle| async move {
        let counter = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut sleep = Box::pin(handle.sleep(PATIENCE));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&counter), 3, "the timers have its waker");
        drop(sleep);
        assert_eq!(Arc::strong_count(&counter), 2, "the timers keep its waker");
    });
}

/// What comes while no task waits for it is reported once, and must be found by the next read.
#[test]
fn what_comes_after_a_short_read_is_not_lost() {
    run_on(epoll_or_select().unwrap(), |handle| async move {
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
