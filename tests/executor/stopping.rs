//! The stop.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bricks::executor::{Executor, Listener};
use bricks::scheduler::stop::INPUT_GRACE;
use bricks::select::Select;

use crate::support::drivers::{listener, watch_the_clock};
use crate::{pair, run, yield_now};

#[test]
fn a_stop_ends_waits_and_keeps_what_is_there() {
    run(|handle| async move {
        let (sock, _) = listener();
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

/// A handler that ignores the end of input reads for ever: other tasks go on, and the stop ends it.
#[test]
fn a_handler_that_ignores_the_end_is_abandoned() {
    watch_the_clock();
    let mut executor = Executor::new(Select::default(), None).unwrap();
    let handle = executor.handle();
    let (stream, theirs) = pair(&handle);
    drop(theirs);
    handle.spawn(async move {
        loop {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        }
    });
    let stopper = handle.clone();
    handle.spawn(async move {
        stopper.sleep(Duration::from_millis(10)).await;
        stopper.stop();
    });
    executor.run().unwrap();
}

/// A client that sends without end must not keep the server from ending: each read finds something.
#[test]
fn a_stop_takes_input_for_a_second_at_most() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        handle.stop();
        let start = Instant::now();
        loop {
            theirs.write_all(b"x").unwrap();
            if stream.read(&mut [0]).await.unwrap() == 0 {
                break;
            }
            // Not a measurement: without the limit it would go on for ever.
            assert!(start.elapsed() < 10 * INPUT_GRACE, "{:?}", start.elapsed());
        }
        assert!(start.elapsed() >= INPUT_GRACE, "{:?}", start.elapsed());
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
