//! Closing a connection: the peer gets what it is owed, and is not waited for for ever.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bricks::scheduler::event::{CLOSE_PATIENCE, sleep};
use bricks::scheduler::task::{Co, Coroutine};
use bricks::space::RECEIVE_SIZE;

use crate::driver::Kind;
use crate::support::drivers::{at_number, hear_all, listener, pair};

/// Closing a socket with unread input resets the connection, and destroys what is on its way;
/// during a stop as at any other time.
pub fn close_waits_for_the_peer_and_loses_nothing(kind: Kind) {
    const OWED: usize = 500_000;
    for stopping in [false, true] {
        let (sock, addr) = listener();
        let mut driver = kind.strict();
        let handle = driver.handle();
        driver.submit_task(Coroutine::new(async move |co: Co| {
            let (client, _) = co.yield_(sock.accept()).await.unwrap();
            co.yield_(client.recv()).await.unwrap();
            co.yield_(client.send(vec![7; OWED])).await.unwrap();
            if stopping {
                handle.stop();
            }
            co.yield_(client.close()).await;
        }));
        let client = thread::spawn(move || {
            let mut client = TcpStream::connect(addr).unwrap();
            // More than the server will ever read.
            client.write_all(&[1; 300_000]).unwrap();
            let mut owed = vec![];
            client.read_to_end(&mut owed).expect("an orderly end, not a reset");
            owed.len()
        });
        driver.run().unwrap();
        assert_eq!(client.join().unwrap(), OWED);
    }
}

/// The peer goes on sending for ever.
pub fn close_gives_up_on_a_peer_that_never_ends(kind: Kind) {
    let (sock, addr) = listener();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let (client, _) = co.yield_(sock.accept()).await.unwrap();
        let start = Instant::now();
        co.yield_(client.close()).await;
        assert!(start.elapsed() >= CLOSE_PATIENCE);
    }));
    let flood = thread::spawn(move || {
        let mut client = TcpStream::connect(addr).unwrap();
        while client.write_all(&[1; 64 * 1024]).is_ok() {}
    });
    driver.run().unwrap();
    flood.join().unwrap();
}

/// The peer neither says nor ends anything.
pub fn close_gives_up_on_a_peer_that_says_no_more(kind: Kind) {
    let (socket, mut theirs) = pair();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    theirs.write_all(&[1; RECEIVE_SIZE]).unwrap(); // to be discarded
    let start = Instant::now();
    driver.run().unwrap();
    assert!(start.elapsed() >= CLOSE_PATIENCE);
    assert_eq!(theirs.read(&mut [0; 1]).unwrap(), 0);
}

/// A deadline that was not needed must not hit what the task waits for next.
pub fn a_deadline_is_forgotten_when_the_connection_is_closed(kind: Kind) {
    let (one, theirs_one) = pair();
    let number = one.as_raw_fd();
    let (open, opened) = mpsc::channel();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(one.close()).await;
        // The deadline was one of this task and of this descriptor. (If another test has taken
        // the number meanwhile, any will do.)
        let (two, theirs_two) = at_number(number, pair).unwrap_or_else(pair);
        open.send(theirs_two).unwrap();
        let bytes = co.yield_(two.recv()).await.expect("it is waited for");
        assert_eq!(*bytes, *b"late");
    }));
    let other = thread::spawn(move || {
        hear_all(theirs_one);
        let (_nobody, clock) = mpsc::channel::<()>();
        clock.recv_timeout(CLOSE_PATIENCE + Duration::from_millis(200)).unwrap_err();
        opened.recv().unwrap().write_all(b"late").unwrap();
    });
    driver.run().unwrap();
    other.join().unwrap();
}

/// Nor must it end the close of another connection, which has the same number by now.
pub fn a_deadline_ends_no_other_close(kind: Kind) {
    let (one, theirs) = pair();
    let number = one.as_raw_fd();
    drop(theirs);
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(one.close()).await;
        co.yield_(sleep(CLOSE_PATIENCE / 2)).await;
        // (If another test has taken the number meanwhile, any will do.)
        let (two, _silent) = at_number(number, pair).unwrap_or_else(pair);
        let start = Instant::now();
        co.yield_(two.close()).await;
        assert!(start.elapsed() >= CLOSE_PATIENCE);
    }));
    driver.run().unwrap();
}

/// The close is refused because somebody else waits there; that one must not be hit by the
/// deadline of the close.
pub fn a_deadline_is_forgotten_when_the_close_is_refused(kind: Kind) {
    let (socket, mut theirs) = pair();
    let mut driver = kind.strict();
    let reading = socket.clone();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let bytes = co.yield_(reading.recv()).await.expect("it is waited for");
        assert_eq!(*bytes, *b"late");
    }));
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
        co.yield_(sleep(CLOSE_PATIENCE + Duration::from_millis(100))).await;
        theirs.write_all(b"late").unwrap();
    }));
    driver.run().unwrap();
}
