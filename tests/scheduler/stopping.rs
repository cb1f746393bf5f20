//! Stopping: everybody is told, may finish, and is not waited for for ever.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bricks::scheduler::event::sleep;
use bricks::scheduler::stop::{INPUT_GRACE, STOP_GRACE};
use bricks::scheduler::task::{Co, Coroutine};
use bricks::space::RECEIVE_SIZE;

use crate::driver::Kind;
use crate::support::drivers::{hear_all, listener, pair};
use crate::support::scripted::bytes;

pub fn a_stop_tells_everybody_who_waits(kind: Kind) {
    let (sock, addr) = listener();
    let (idle, _idle) = pair();
    let (owed, mut theirs) = pair();
    theirs.write_all(b"already here").unwrap();
    let notes = Rc::new(RefCell::new(vec![]));
    let mut driver = kind.strict();
    let noting = Rc::clone(&notes);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let error = co.yield_(sock.accept()).await.unwrap_err();
        noting.borrow_mut().push(format!("accept: {:?}", error.kind()));
        let error = co.yield_(sock.accept()).await.unwrap_err();
        noting.borrow_mut().push(format!("accept again: {:?}", error.kind()));
    }));
    let noting = Rc::clone(&notes);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let bytes = co.yield_(idle.recv()).await.unwrap();
        noting.borrow_mut().push(format!("idle: {}", bytes.len()));
    }));
    let (noting, handle) = (Rc::clone(&notes), driver.handle());
    driver.submit_task(Coroutine::new(async move |co: Co| {
        handle.stop();
        loop {
            let bytes = co.yield_(owed.recv()).await.unwrap();
            noting.borrow_mut().push(format!("owed: {}", bytes.len()));
            if bytes.is_empty() {
                break;
            }
        }
        co.yield_(owed.send(b"sent after the stop")).await.unwrap();
    }));
    driver.run().unwrap();
    notes.borrow_mut().sort();
    let expected = [
        "accept again: Interrupted",
        "accept: Interrupted",
        "idle: 0",
        "owed: 0",
        "owed: 12",
    ];
    assert_eq!(*notes.borrow(), expected);
    assert_eq!(hear_all(theirs), b"sent after the stop");
    assert!(TcpStream::connect(addr).is_err(), "the listening socket is closed");
}

/// A peer that never stops sending is heard for a while; then its handler is told the end.
pub fn a_stop_does_not_receive_for_ever(kind: Kind) {
    let (socket, mut theirs) = pair();
    let ended = Rc::new(Cell::new(false));
    let ending = Rc::clone(&ended);
    let mut driver = kind.strict();
    let handle = driver.handle();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        handle.stop();
        let start = Instant::now();
        loop {
            theirs.write_all(b"more").unwrap();
            if co.yield_(socket.recv()).await.unwrap().is_empty() {
                break;
            }
        }
        assert!(start.elapsed() >= INPUT_GRACE);
        ending.set(true);
    }));
    driver.run().unwrap();
    assert!(ended.get(), "its handler finishes by the way it knows");
}

/// A connection that has just had its share of discarding when the stop begins is still closed
/// in an orderly way.
pub fn a_stop_forgets_no_close_that_is_under_way(kind: Kind) {
    let (socket, mut theirs) = pair();
    theirs.write_all(&[1; 2 * RECEIVE_SIZE]).unwrap();
    let closed = Rc::new(Cell::new(false));
    let noting = Rc::clone(&closed);
    let mut driver = kind.strict();
    let handle = driver.handle();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
        noting.set(true);
    }));
    driver.submit_task(Coroutine::new(async move |_: Co| {
        handle.stop();
        drop(theirs);
    }));
    driver.run().unwrap();
    assert!(closed.get());
}

/// A task that neither finishes nor can be told is given up, and nothing of it stays behind.
pub fn a_stop_does_not_wait_for_ever(kind: Kind) {
    let dropped = Rc::new(());
    let alive = Rc::downgrade(&dropped);
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(Duration::MAX)).await;
        drop(dropped);
    }));
    let (stuck, theirs) = pair();
    let much = bytes(3, 10_000_000);
    let more_than_fits = much.clone();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let _ = co.yield_(stuck.send(more_than_fits)).await;
    }));
    driver.handle().stop();
    let start = Instant::now();
    driver.run().unwrap();
    let took = start.elapsed();
    // Not a measurement: this is the promise.
    let promised = STOP_GRACE..STOP_GRACE + Duration::from_secs(3);
    assert!(promised.contains(&took), "{took:?}");
    assert!(alive.upgrade().is_none(), "its tasks are dropped");
    // The driver is still there, but nothing is under way in it: the socket is closed.
    assert!(much.starts_with(&hear_all(theirs)));
}

/// Wherever it is at that moment.
pub fn a_stop_leaves_no_task_behind(kind: Kind) {
    const LATE: Duration = Duration::from_millis(200);
    let dropped = Rc::new(());
    let alive = Rc::downgrade(&dropped);
    let mut driver = kind.strict();
    let (stuck, _full) = pair();
    let owned = Rc::clone(&dropped);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let _ = co.yield_(stuck.send(vec![0; 10_000_000])).await;
        drop(owned);
    }));
    let (late, _silent) = pair();
    let owned = Rc::clone(&dropped);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(STOP_GRACE - LATE)).await;
        co.yield_(late.close()).await;
        drop(owned);
    }));
    let (deaf, _other) = pair();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(STOP_GRACE - LATE)).await;
        // It does not understand the end of input, so it can always go on.
        while co.yield_(deaf.recv()).await.is_ok() {}
        drop(dropped);
    }));
    driver.handle().stop();
    driver.run().unwrap();
    assert!(alive.upgrade().is_none(), "its tasks are dropped");
}

/// A task that owns a handle shares the queue that owns the task.
pub fn a_scheduler_that_never_runs_drops_its_tasks(kind: Kind) {
    let owned = Rc::new(());
    let alive = Rc::downgrade(&owned);
    let mut driver = kind.strict();
    let handle = driver.handle();
    driver.submit_task(Coroutine::new(async move |_: Co| {
        let _owned = (owned, handle);
    }));
    drop(driver);
    assert!(alive.upgrade().is_none());
}
