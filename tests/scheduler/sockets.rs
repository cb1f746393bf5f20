//! Waiting for sockets: who may, what comes of it, and whose the descriptor is meanwhile.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bricks::scheduler::event::sleep;
use bricks::scheduler::task::{Co, Coroutine};

use crate::driver::Kind;
use crate::support::drivers::{at_number, echo, hear_all, listener, pair};
use crate::support::scripted::bytes;

/// The original scheduler's table keeps only the second, and the first waits for ever.
pub fn the_second_waiter_is_refused_and_the_first_goes_on_waiting(kind: Kind) {
    let (socket, mut theirs) = pair();
    let notes = Rc::new(RefCell::new(vec![]));
    let mut driver = kind.strict();
    for name in ["first", "second"] {
        let (socket, notes) = (socket.clone(), Rc::clone(&notes));
        let handle = driver.handle();
        driver.submit_task(Coroutine::new(async move |co: Co| {
            let note = match co.yield_(socket.recv()).await {
                Ok(bytes) => {
                    handle.stop(); // if the other task has been lost, it never ends
                    format!("{name} got {}", bytes.escape_ascii())
                }
                Err(error) => format!("{name}: {:?}", error.kind()),
            };
            notes.borrow_mut().push(note);
            if name == "second" {
                // The sign for the test's end to answer. (If that has answered already, who
                // got the answer is told below.)
                let _ = socket.try_send(b"go");
            }
        }));
    }
    let answering = thread::spawn(move || {
        // Without the sign, go on as well: whoever waits then is the wrong one.
        theirs.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = theirs.read_exact(&mut [0; 2]);
        theirs.write_all(b"hello").unwrap();
    });
    driver.run().unwrap();
    answering.join().unwrap();
    assert_eq!(*notes.borrow(), ["second: ResourceBusy", "first got hello"]);
}

pub fn one_task_may_read_while_another_writes(kind: Kind) {
    let (socket, mut theirs) = pair();
    let mut driver = kind.strict();
    let reading = socket.clone();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(*co.yield_(reading.recv()).await.unwrap(), *b"in");
    }));
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let sent = co.yield_(socket.send(bytes(1, 1_000_000))).await.unwrap();
        assert_eq!(sent, 1_000_000);
    }));
    let other = thread::spawn(move || {
        theirs.write_all(b"in").unwrap();
        hear_all(theirs)
    });
    driver.run().unwrap();
    assert!(other.join().unwrap() == bytes(1, 1_000_000));
}

/// An I/O error is sent into the task that asked. (The original scheduler ends with the first
/// client that resets its connection.)
pub fn an_error_is_a_result_for_one_task(kind: Kind) {
    let (sock, addr) = listener();
    let notes = Rc::new(RefCell::new(vec![]));
    let noting = Rc::clone(&notes);
    let mut driver = kind.strict();
    let handle = driver.handle();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        for _ in 0..2 {
            let (client, _) = co.yield_(sock.accept()).await.unwrap();
            let notes = Rc::clone(&noting);
            handle.submit_task(Coroutine::new(async move |co: Co| {
                let result = echo(&co, client).await;
                notes.borrow_mut().push(result.err().map(|error| error.kind()));
            }));
        }
    }));
    let clients = thread::spawn(move || {
        let reset = TcpStream::connect(addr).unwrap();
        let mut good = TcpStream::connect(addr).unwrap();
        socket2::SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
        drop(reset);
        good.write_all(b"hello").unwrap();
        good.shutdown(Shutdown::Write).unwrap();
        hear_all(good)
    });
    driver.run().unwrap();
    assert_eq!(clients.join().unwrap(), b"hello");
    notes.borrow_mut().sort();
    assert_eq!(*notes.borrow(), [None, Some(ErrorKind::ConnectionReset)]);
}

/// A socket is closed, and the system gives its number to the next one. What a driver remembers of
/// the first is not true of the second: a task that waits for the second is told.
pub fn a_number_that_comes_back(kind: Kind) {
    let (mut socket, mut theirs) = pair();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        for _ in 0..10 {
            // More than there is room for: the task waits in both directions.
            let reading = thread::spawn(move || {
                theirs.write_all(b"hello").unwrap();
                hear_all(theirs).len()
            });
            assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *b"hello");
            co.yield_(socket.send(vec![7; 1_000_000])).await.unwrap();
            let number = socket.as_raw_fd();
            drop(socket);
            // (If another test has taken the number meanwhile, any will do.)
            (socket, theirs) = at_number(number, pair).unwrap_or_else(pair);
            assert_eq!(reading.join().unwrap(), 1_000_000);
        }
    }));
    driver.run().unwrap();
}

/// The event that waits owns its socket: the number cannot be given to somebody else.
pub fn a_waiting_event_keeps_its_descriptor(kind: Kind) {
    let (socket, mut theirs) = pair();
    let number = socket.as_raw_fd();
    let mut driver = kind.strict();
    let handle = driver.handle();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let event = socket.recv();
        drop(socket);
        handle.submit_task(Coroutine::new(async move |_: Co| {
            let (other, _there) = pair();
            assert_ne!(other.as_raw_fd(), number);
            theirs.write_all(b"hello").unwrap();
        }));
        assert_eq!(*co.yield_(event).await.unwrap(), *b"hello");
    }));
    driver.run().unwrap();
}

pub fn an_empty_send_is_done_at_once(kind: Kind) {
    let (socket, _theirs) = pair();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(co.yield_(socket.send([])).await.unwrap(), 0);
    }));
    driver.run().unwrap();
}

/// A burst of clients, and each of them once.
pub fn a_burst_of_clients(kind: Kind) {
    const CLIENTS: usize = 100;
    let (sock, addr) = listener();
    let mut driver = kind.strict();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| TcpStream::connect(addr).unwrap()).collect();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let mut peers = vec![];
        for _ in 0..CLIENTS {
            let (_, peer) = co.yield_(sock.accept()).await.unwrap();
            peers.push(peer);
        }
        let mut expected: Vec<_> =
            clients.iter().map(|client| client.local_addr().unwrap()).collect();
        peers.sort();
        expected.sort();
        assert_eq!(peers, expected);
    }));
    driver.run().unwrap();
}

/// Accepts that are under way in the kernel own the listening socket, but must not keep it open.
pub fn a_forgotten_listener_is_closed(kind: Kind) {
    let (sock, addr) = listener();
    let client = TcpStream::connect(addr).unwrap();
    let mut driver = kind.strict();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let (_, peer) = co.yield_(sock.accept()).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        drop(sock);
        // Few attempts: each that succeeds ends one of the accepts.
        for _ in 0..10 {
            co.yield_(sleep(Duration::from_millis(20))).await;
            if TcpStream::connect(addr).is_err() {
                return;
            }
        }
        panic!("it still listens");
    }));
    driver.run().unwrap();
}

/// A client that sends and never reads: its task waits, and nobody else does. The buffers are
/// not for one alone.
pub fn a_client_that_never_reads_beside_others(kind: Kind) {
    let (socket, mut stuck) = pair();
    let mut driver = kind.strict();
    let handle = driver.handle();
    let stuck_task = Rc::new(Cell::new(0));
    let counted = Rc::clone(&stuck_task);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        while let Ok(bytes) = co.yield_(socket.recv()).await
            && !bytes.is_empty()
        {
            counted.set(counted.get() + bytes.len());
            if co.yield_(socket.send(bytes)).await.is_err() {
                break;
            }
        }
    }));
    let (socket, mut other) = pair();
    driver.submit_task(Coroutine::new(async move |co: Co| {
        echo(&co, socket).await.unwrap();
        handle.stop();
    }));
    let clients = thread::spawn(move || {
        stuck.set_nonblocking(true).unwrap();
        let mut attempts = 0;
        // It is stuck when nothing has gone in for a whole conversation of the other.
        while attempts < 3 {
            match stuck.write(&[7; 65536]) {
                Ok(_) => attempts = 0,
                Err(_) => attempts += 1,
            }
            for _ in 0..20 {
                other.write_all(b"ping").unwrap();
                other.read_exact(&mut [0; 4]).unwrap();
            }
        }
        (stuck, other)
    });
    thread::spawn(move || {
        let (stuck, other) = clients.join().unwrap();
        drop(other);
        drop(stuck); // or the stop would take its four seconds
    });
    driver.run().unwrap();
    let taken = stuck_task.get();
    assert!(taken < 2 * 1024 * 1024, "{taken} bytes were taken in for somebody stuck");
}
