//! The stop.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use bricks::executor::Listener;
use bricks::scheduler::stop::INPUT_GRACE;

use crate::support::drivers::listener;
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
