//! The driver of stage 07, on socket pairs: what the kernel owns, what becomes of it when a task
//! goes away in the middle, and that tasks cannot tell it from the scheduler.
//!
//! Where there is no `io_uring`, or it is not permitted, these tests say so and pass; with
//! `REQUIRE_IO_URING=1` in the environment they fail instead.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

#[expect(dead_code, reason = "half of it is for pollers")]
mod scripted;

use std::cell::{Cell, RefCell};
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bricks::buffer::RECEIVE_SIZE;
use bricks::event::{CLOSE_PATIENCE, sleep};
use bricks::limit::raise_descriptor_limit;
use bricks::net::{Socket, listen};
use bricks::poller::Select;
use bricks::ready::Handle;
use bricks::ring::{Kernel, Ring};
use bricks::scheduler::{STOP_GRACE, Scheduler};
use bricks::task::{Co, Coroutine, Task};
use bricks::trace::{Step, Trace};
use proptest::prelude::*;

use scripted::Recorder;

/// A ring of tasks that must not panic; none if this system has none.
fn strict() -> Option<Ring<Strict>> {
    ring(Strict)
}

fn ring<T: Trace + 'static>(trace: T) -> Option<Ring<T>> {
    watch_the_clock();
    match Kernel::new() {
        Ok(kernel) => Some(Ring::with_trace(kernel, trace)),
        Err(why) => {
            assert!(env::var_os("REQUIRE_IO_URING").is_none(), "{why}");
            println!("skipped: {why}");
            None
        }
    }
}

/// Fails the test when a task panics: else an assertion inside a task would pass unnoticed.
struct Strict;

impl Trace for Strict {
    fn record(&mut self, step: Step<'_>) {
        if let Step::Finish { task, panicked: true } = step {
            panic!("task {task} has panicked");
        }
    }
}

/// A ring that waits for ever must fail, and not keep everybody waiting.
fn watch_the_clock() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            let (_nobody, clock) = mpsc::channel::<()>();
            clock.recv_timeout(Duration::from_secs(240)).unwrap_err();
            eprintln!("a test has hung for four minutes");
            std::process::exit(101);
        });
    });
}

/// A socket for a task, and its other end for the test.
fn pair() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    // A read that waits for ever is a failure, too.
    theirs.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (Socket::new(ours).unwrap(), theirs)
}

/// A connection over TCP.
fn tcp_pair() -> (Socket, TcpStream) {
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (Socket::new(listener.accept().unwrap().0).unwrap(), theirs)
}

async fn echo(co: &Co, client: Socket) -> io::Result<()> {
    loop {
        let bytes = co.yield_(client.recv()).await?;
        if bytes.is_empty() {
            break;
        }
        co.yield_(client.send(bytes)).await?;
    }
    co.yield_(client.close()).await;
    Ok(())
}

fn echo_task(client: Socket) -> impl Task {
    Coroutine::new(async move |co: Co| echo(&co, client).await.unwrap())
}

/// Sends all of `data` and, at the same time, receives until the end.
fn talk(mut stream: UnixStream, data: Vec<u8>) -> thread::JoinHandle<(Vec<u8>, Vec<u8>)> {
    thread::spawn(move || {
        let mut out = stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            out.write_all(&data).unwrap();
            out.shutdown(Shutdown::Write).unwrap();
            data
        });
        let mut received = vec![];
        stream.read_to_end(&mut received).unwrap();
        (sending.join().unwrap(), received)
    })
}

/// Bytes without pattern.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 30,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the sizes, each client gets back its own bytes, all of them, in order.
    #[test]
    fn bytes_in_are_bytes_out(
        seed in any::<u64>(),
        sizes in prop::collection::vec(0..400_000_usize, 1..8),
    ) {
        let Some(mut ring) = strict() else { return Ok(()) };
        let mut clients = vec![];
        for (i, size) in (0..).zip(&sizes) {
            let (socket, stream) = pair();
            clients.push(talk(stream, bytes(seed ^ i, *size)));
            ring.submit_task(echo_task(socket));
        }
        ring.run().unwrap();
        for client in clients {
            let (sent, received) = client.join().unwrap();
            prop_assert!(sent == received, "bytes in are not bytes out");
        }
    }
}

/// A task sees the same from both drivers, in the same order.
#[test]
fn a_task_cannot_tell_it_from_the_scheduler() {
    // The client has said everything before the task starts: nothing depends on time.
    let client = || {
        let (socket, mut theirs) = pair();
        theirs.write_all(b"hello").unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        (socket, theirs)
    };
    let task = |socket: Socket, handle: Handle| {
        Coroutine::new(async move |co: Co| {
            handle.submit_task(Coroutine::new(async |co: Co| {
                // Longer than all the rest takes, under valgrind, too.
                co.yield_(sleep(Duration::from_secs(2))).await;
            }));
            echo(&co, socket).await.unwrap();
        })
    };
    // What passes between the driver and its tasks; how it waits is its own business.
    let told = |recorder: &Recorder| -> Vec<String> {
        let told = ["spawn", "resume", "yield", "happened", "finish"];
        let is_told = |line: &String| told.iter().any(|word| line.starts_with(word));
        recorder.lines().into_iter().filter(is_told).collect()
    };

    let recorder = Recorder::default();
    let Some(mut ring) = ring(recorder.clone()) else { return };
    let (socket, _theirs) = client();
    ring.submit_task(task(socket, ring.handle()));
    ring.run().unwrap();

    let by_scheduler = Recorder::default();
    let mut scheduler = Scheduler::with_trace(Select::default(), by_scheduler.clone());
    let (socket, _theirs) = client();
    scheduler.submit_task(task(socket, scheduler.handle()));
    scheduler.run().unwrap();

    assert!(told(&recorder).len() > 15);
    assert_eq!(told(&recorder), told(&by_scheduler));
}

#[test]
fn one_task_may_read_while_another_writes() {
    let Some(mut ring) = strict() else { return };
    let (socket, mut theirs) = pair();
    let reading = socket.clone();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(*co.yield_(reading.recv()).await.unwrap(), *b"in");
    }));
    ring.submit_task(Coroutine::new(async move |co: Co| {
        let sent = co.yield_(socket.send(bytes(1, 1_000_000))).await.unwrap();
        assert_eq!(sent, 1_000_000);
    }));
    let other = thread::spawn(move || {
        theirs.write_all(b"in").unwrap();
        let mut all = vec![];
        theirs.read_to_end(&mut all).unwrap();
        all
    });
    ring.run().unwrap();
    drop(ring);
    assert!(other.join().unwrap() == bytes(1, 1_000_000));
}

#[test]
fn the_second_waiter_is_refused_and_the_first_goes_on_waiting() {
    let Some(mut ring) = strict() else { return };
    let (socket, mut theirs) = pair();
    let notes = Rc::new(RefCell::new(vec![]));
    for name in ["first", "second"] {
        let (socket, notes) = (socket.clone(), Rc::clone(&notes));
        ring.submit_task(Coroutine::new(async move |co: Co| {
            let note = match co.yield_(socket.recv()).await {
                Ok(bytes) => format!("{name} got {}", bytes.escape_ascii()),
                Err(error) => format!("{name}: {:?}", error.kind()),
            };
            notes.borrow_mut().push(note);
            if name == "second" {
                assert_eq!(socket.try_send(b"go").unwrap(), 2);
            }
        }));
    }
    let answering = thread::spawn(move || {
        theirs.read_exact(&mut [0; 2]).unwrap();
        theirs.write_all(b"hello").unwrap();
    });
    ring.run().unwrap();
    answering.join().unwrap();
    assert_eq!(*notes.borrow(), ["second: ResourceBusy", "first got hello"]);
}

/// More messages at once than there are buffers: those that find none are tried again.
#[test]
fn more_messages_than_buffers() {
    const CLIENTS: usize = 700;
    let Some(mut ring) = strict() else { return };
    if raise_descriptor_limit().unwrap() < 2 * CLIENTS as u64 + 100 {
        println!("skipped: `ulimit -Hn` is too low");
        return;
    }
    let mut clients = vec![];
    for i in 0..CLIENTS {
        let (socket, mut theirs) = pair();
        ring.submit_task(echo_task(socket));
        // Long ones, too: they outgrow the first buffer, and of the large ones there are few.
        let message = bytes(i as u64, if i % 5 == 0 { 100_000 } else { 10 });
        theirs.set_nonblocking(true).unwrap();
        assert_eq!(theirs.write(&message).unwrap(), message.len());
        theirs.set_nonblocking(false).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        clients.push((theirs, message));
    }
    ring.run().unwrap();
    for (mut theirs, message) in clients {
        let mut received = vec![];
        theirs.read_to_end(&mut received).unwrap();
        assert!(received == message);
    }
}

/// A client that sends and never reads: its task waits, and nobody else does. The buffers are
/// not for one alone.
#[test]
fn a_client_that_never_reads_beside_others() {
    let Some(mut ring) = strict() else { return };
    let (socket, mut stuck) = pair();
    let handle = ring.handle();
    let stuck_task = Rc::new(Cell::new(0));
    let counted = Rc::clone(&stuck_task);
    ring.submit_task(Coroutine::new(async move |co: Co| {
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
    ring.submit_task(Coroutine::new(async move |co: Co| {
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
    ring.run().unwrap();
    let taken = stuck_task.get();
    assert!(taken < 2 * 1024 * 1024, "{taken} bytes were taken in for somebody stuck");
}

/// The kernel still has the addresses of what it sends and receives when everything is dropped.
#[test]
fn dropped_in_the_middle_of_transfers() {
    let much = bytes(2, 8_000_000);
    for clients in [1, 5] {
        let Some(mut ring) = strict() else { return };
        let mut others = vec![];
        for _ in 0..clients {
            // One that receives, one that sends to somebody who does not read.
            let (socket, theirs) = tcp_pair();
            let (reading, writing, much) = (socket.clone(), socket, much.clone());
            ring.submit_task(Coroutine::new(async move |co: Co| {
                let _ = co.yield_(reading.recv()).await;
                unreachable!("nobody sends anything");
            }));
            ring.submit_task(Coroutine::new(async move |co: Co| {
                let _ = co.yield_(writing.send(much)).await;
                unreachable!("nobody reads all of it");
            }));
            others.push(theirs);
        }
        // And one that ends the run in the middle, with an error.
        let handle = ring.handle();
        ring.submit_task(Coroutine::new(async move |co: Co| {
            co.yield_(sleep(Duration::from_millis(20))).await;
            // A panic of the trace passes through `run`, as nothing else does.
            drop(handle);
            std::panic::resume_unwind(Box::new("the end"));
        }));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ring.run()));
        assert!(ended.is_err());
        drop(ring);
        // Nothing keeps the sockets open any more: the other sides see what was sent, and an end.
        for mut theirs in others {
            let mut received = vec![];
            let _ = theirs.read_to_end(&mut received);
            assert!(much.starts_with(&received));
        }
    }
}

/// A stop that is over drops the tasks. Their operations are cancelled, and what they own lives
/// until then.
#[test]
fn a_stop_leaves_nothing_behind() {
    let Some(mut ring) = strict() else { return };
    let (socket, mut theirs) = pair();
    let watched = socket.clone();
    let dropped = Rc::new(Cell::new(false));
    struct Flag(Rc<Cell<bool>>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let flag = Flag(Rc::clone(&dropped));
    ring.submit_task(Coroutine::new(async move |co: Co| {
        let _flag = flag;
        let _ = co.yield_(watched.send(bytes(3, 10_000_000))).await;
    }));
    drop(socket);
    ring.stop();
    let start = Instant::now();
    ring.run().unwrap();
    let took = start.elapsed();
    // Not a measurement: this is the promise.
    assert!(
        (STOP_GRACE..STOP_GRACE + Duration::from_secs(3)).contains(&took),
        "{took:?}"
    );
    assert!(dropped.get());
    // The ring is still there, but nothing is under way in it: the socket is closed.
    let mut received = vec![];
    theirs.read_to_end(&mut received).unwrap();
    assert!(bytes(3, 10_000_000).starts_with(&received));
}

#[test]
fn a_stop_is_told_to_those_who_wait() {
    let Some(mut ring) = strict() else { return };
    let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let addr = sock.local_addr().unwrap();
    let (socket, mut theirs) = pair();
    let handle = ring.handle();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        let error = co.yield_(sock.accept()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }));
    ring.submit_task(Coroutine::new(async move |co: Co| {
        // It has said something, and nothing more will come: but it has not said so.
        assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *b"first");
        handle.stop();
        assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *b"");
        assert_eq!(co.yield_(socket.send(b"last")).await.unwrap(), 4);
    }));
    theirs.write_all(b"first").unwrap();
    ring.run().unwrap();
    let mut received = vec![];
    theirs.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"last");
    // The accepts that were under way keep nothing open.
    assert!(TcpStream::connect(addr).is_err());
}

/// The accepts that are under way own the listening socket, but must not keep it open.
#[test]
fn a_forgotten_listener_is_closed() {
    let Some(mut ring) = strict() else { return };
    let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let addr = sock.local_addr().unwrap();
    let client = TcpStream::connect(addr).unwrap();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        let (_, peer) = co.yield_(sock.accept()).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        drop(sock);
        for _ in 0..100 {
            co.yield_(sleep(Duration::from_millis(5))).await;
            if TcpStream::connect(addr).is_err() {
                return;
            }
        }
        panic!("it still listens");
    }));
    ring.run().unwrap();
}

/// A burst of clients, and each of them once.
#[test]
fn a_burst_of_clients() {
    const CLIENTS: usize = 100;
    let Some(mut ring) = strict() else { return };
    let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let addr = sock.local_addr().unwrap();
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| TcpStream::connect(addr).unwrap()).collect();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        let mut peers = vec![];
        for _ in 0..CLIENTS {
            let (client, peer) = co.yield_(sock.accept()).await.unwrap();
            assert_eq!(client.peer(), Some(peer));
            peers.push(peer);
        }
        let mut expected: Vec<_> =
            clients.iter().map(|client| client.local_addr().unwrap()).collect();
        peers.sort();
        expected.sort();
        assert_eq!(peers, expected);
    }));
    ring.run().unwrap();
}

/// The peer never ends: after a second, the operation that waits for it is cancelled.
#[test]
fn close_gives_up_on_a_peer_that_never_ends() {
    let Some(mut ring) = strict() else { return };
    let (socket, mut theirs) = pair();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    let start = Instant::now();
    theirs.write_all(&bytes(4, RECEIVE_SIZE)).unwrap(); // to be discarded
    ring.run().unwrap();
    assert!(start.elapsed() >= CLOSE_PATIENCE);
    assert_eq!(theirs.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn an_error_is_a_result_for_one_task() {
    let Some(mut ring) = strict() else { return };
    let (socket, theirs) = tcp_pair();
    let no_listener = socket.clone();
    ring.submit_task(Coroutine::new(async move |co: Co| {
        // 22: this socket does not listen.
        let error = co.yield_(no_listener.accept()).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
        drop(theirs); // a reset
        let error = co.yield_(no_listener.recv()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = co.yield_(no_listener.send(b"x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe); // and no signal
    }));
    let (socket, mut theirs) = pair();
    ring.submit_task(echo_task(socket));
    theirs.write_all(b"hello").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    ring.run().unwrap();
    let mut received = vec![];
    theirs.read_to_end(&mut received).unwrap();
    assert_eq!(received, b"hello");
}

/// Some of these tests once more, under a memory checker: it sees whether we look at memory that
/// has been given back, and whether any is lost. (It does not see what the kernel writes; that
/// memory is used too early would show in the bytes. And it knows an `io_uring_enter` that waits
/// only as one that holds all threads up: so these are tests of one thread.)
#[test]
fn under_valgrind() {
    let tests = [
        "a_task_cannot_tell_it_from_the_scheduler",
        "a_burst_of_clients",
        "a_stop_is_told_to_those_who_wait",
        "an_error_is_a_result_for_one_task",
        "dropped_in_the_middle_of_transfers",
    ];
    if !Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|it| it.status.success())
    {
        println!("skipped: no valgrind (Debian: apt-get install valgrind)");
        return;
    }
    let checked = Command::new("timeout")
        .args(["--kill-after=1", "150", "valgrind", "--quiet", "--error-exitcode=9"])
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite"])
        .args(["--show-leak-kinds=definite"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "--test-threads=1"])
        .args(tests)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}{errors}");
    assert!(said.contains(&format!("{} passed", tests.len())), "{said}");
}
