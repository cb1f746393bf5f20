//! The scheduler, driven by pollers that follow a script, lie, or keep the order they like.

mod scripted;

#[path = "../examples/by_hand.rs"]
#[expect(dead_code, reason = "an example has a main function")]
mod by_hand;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::pending;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Once, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bricks::buffer::{Buffer, Buffers, RECEIVE_SIZE};
use bricks::event::{CLOSE_PATIENCE, Data, Event, Happened, sleep};
use bricks::lines::{Lines, read_line};
use bricks::log::Log;
use bricks::net::{Socket, listen};
use bricks::poller::{Direction, Dry, Poller, Readiness, Select, Watch};
use bricks::ready::Handle;
use bricks::scheduler::{INPUT_GRACE, STOP_GRACE, Scheduler};
use bricks::task::{Co, Coroutine, Resumed, Task};
use bricks::trace::{Step, Trace};
use proptest::prelude::*;

use scripted::{Client, Random, Recorder};

/// A scheduler that waits for ever must fail, and not keep everybody waiting.
fn watch_the_clock() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            let (_nobody, clock) = mpsc::channel::<()>();
            clock.recv_timeout(Duration::from_secs(300)).unwrap_err();
            eprintln!("a test has hung for five minutes");
            std::process::exit(101);
        });
    });
}

/// A socket for a task, and its other end for the test.
fn pair() -> (Socket, UnixStream) {
    watch_the_clock();
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Socket::new(ours).unwrap(), theirs)
}

/// A listening socket for a task, and its address.
fn listener() -> (Socket, SocketAddr) {
    watch_the_clock();
    let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let addr = sock.local_addr().unwrap();
    (sock, addr)
}

/// Fails the test when a task panics: else an assertion inside a task would be caught by the
/// scheduler, and pass unnoticed.
struct Strict;

impl Trace for Strict {
    fn record(&mut self, step: Step<'_>) {
        if let Step::Finish { task, panicked: true } = step {
            panic!("task {task} has panicked");
        }
    }
}

/// A scheduler of tasks that must not panic.
fn strict<P: Poller>(poller: P) -> Scheduler<P, Strict> {
    Scheduler::with_trace(poller, Strict)
}

/// What tasks find out, for the test to see.
type Notes<T> = Rc<RefCell<Vec<T>>>;

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

// What every run promises.

proptest! {
    // A failure is told and not kept: whoever breaks this for the book keeps a clean tree.
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Readiness in any order, too early, too late, or a lie: each client gets back its own
    /// bytes, all of them, in order.
    #[test]
    fn random_readiness_loses_nothing(
        seed in any::<u64>(),
        try_first in any::<bool>(),
        sizes in prop::collection::vec(0..300_000_usize, 1..6),
    ) {
        let mut clients = vec![];
        let mut sockets = vec![];
        for (i, size) in (0..).zip(&sizes) {
            let (socket, stream) = pair();
            clients.push(Client::new(stream, *size, seed ^ i));
            sockets.push(socket);
        }
        let finished = Rc::new(RefCell::new(clients));
        let poller = Random::new(seed, try_first, Rc::clone(&finished));
        let mut scheduler = strict(poller);
        for socket in sockets {
            scheduler.submit_task(echo_task(socket));
        }
        scheduler.run().unwrap();
        for client in finished.borrow_mut().iter_mut() {
            client.finish();
            prop_assert!(client.received == client.data, "bytes in are not bytes out");
        }
    }
}

#[test]
fn without_tasks_there_is_nothing_to_run() {
    strict(Select::default()).run().unwrap();
}

#[test]
fn a_task_runs_only_when_the_scheduler_does() {
    let ran = Rc::new(Cell::new(false));
    let mut scheduler = strict(Select::default());
    let inside = Rc::clone(&ran);
    scheduler.submit_task(Coroutine::new(async move |_: Co| inside.set(true)));
    assert!(!ran.get());
    scheduler.run().unwrap();
    assert!(ran.get());
}

#[test]
fn tasks_submit_tasks() {
    fn family(scheduler: Handle, depth: u32, count: Rc<Cell<u32>>) -> Box<dyn Task> {
        Box::new(Coroutine::new(async move |_: Co| {
            count.set(count.get() + 1);
            for _ in 0..depth {
                scheduler.submit_task(family(
                    scheduler.clone(),
                    depth - 1,
                    count.clone(),
                ));
            }
        }))
    }
    let count = Rc::new(Cell::new(0));
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(family(scheduler.handle(), 4, count.clone()));
    scheduler.run().unwrap();
    assert_eq!(count.get(), 1 + 4 + 12 + 24 + 24);
}

/// The original scheduler's table keeps only the second, and the first waits for ever.
#[test]
fn the_second_waiter_is_refused_and_the_first_goes_on_waiting() {
    let (socket, mut theirs) = pair();
    let notes: Notes<String> = Notes::default();
    let mut scheduler = strict(Select::default());
    for name in ["first", "second"] {
        let (socket, notes) = (socket.clone(), notes.clone());
        scheduler.submit_task(Coroutine::new(async move |co: Co| {
            let note = match co.yield_(socket.recv()).await {
                Ok(bytes) => format!("{name} got {}", bytes.escape_ascii()),
                Err(error) => format!("{name}: {:?}", error.kind()),
            };
            notes.borrow_mut().push(note);
            if name == "second" {
                theirs_write(&socket);
            }
        }));
    }
    /// The second task gives the test's end the sign to answer.
    fn theirs_write(socket: &Socket) {
        assert_eq!(socket.try_send(b"go").unwrap(), 2);
    }
    let answering = thread::spawn(move || {
        // Without the sign, go on as well: whoever waits then is the wrong one.
        theirs.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = theirs.read_exact(&mut [0; 2]);
        theirs.write_all(b"hello").unwrap();
    });
    scheduler.run().unwrap();
    answering.join().unwrap();
    assert_eq!(*notes.borrow(), ["second: ResourceBusy", "first got hello"]);
}

#[test]
fn one_task_may_read_while_another_writes() {
    let (socket, mut theirs) = pair();
    let mut scheduler = strict(Select::default());
    let reading = socket.clone();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(*co.yield_(reading.recv()).await.unwrap(), *b"in");
    }));
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(co.yield_(socket.send(vec![7; 1_000_000])).await.unwrap(), 1_000_000);
    }));
    let other = thread::spawn(move || {
        theirs.write_all(b"in").unwrap();
        let mut all = vec![];
        theirs.read_to_end(&mut all).unwrap();
        all.len()
    });
    scheduler.run().unwrap();
    assert_eq!(other.join().unwrap(), 1_000_000);
}

#[test]
fn a_panicking_task_ends_alone() {
    let mut scheduler = Scheduler::new(Select::default());
    let mut others = vec![];
    for i in 0..51 {
        let (socket, mut theirs) = pair();
        if i == 25 {
            scheduler.submit_task(Coroutine::new(async move |co: Co| {
                let bytes = co.yield_(socket.recv()).await.unwrap();
                panic!("after {} bytes", bytes.len());
            }));
        } else {
            scheduler.submit_task(echo_task(socket));
        }
        theirs.write_all(b"hello").unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        others.push(theirs);
    }
    scheduler.run().unwrap();
    for (i, mut theirs) in others.into_iter().enumerate() {
        let mut echoed = vec![];
        theirs.read_to_end(&mut echoed).unwrap();
        assert_eq!(echoed, if i == 25 { b"".to_vec() } else { b"hello".to_vec() });
    }
}

#[test]
fn what_a_task_owns_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let mut scheduler = Scheduler::new(Select::default());
    let bomb = Bomb;
    // A coroutine drops what it owns when its body ends …
    scheduler.submit_task(Coroutine::new(async move |_: Co| {
        let _bomb = &bomb;
    }));
    // … and another task when it is dropped itself.
    struct Owner(Bomb);
    impl Task for Owner {
        fn send(&mut self, _: Data) -> Resumed {
            let Owner(Bomb) = self;
            Resumed::Finished
        }
    }
    scheduler.submit_task(Owner(Bomb));
    let ran = Rc::new(Cell::new(false));
    let inside = Rc::clone(&ran);
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(Duration::from_millis(1))).await;
        inside.set(true);
    }));
    scheduler.run().unwrap();
    assert!(ran.get());
}

/// The original scheduler would sleep in `select` for ever.
#[test]
fn a_task_that_waits_for_nothing_is_ended() {
    let mut scheduler = Scheduler::new(Select::default());
    scheduler.submit_task(Coroutine::new(async |_: Co| pending().await));
    let (socket, mut theirs) = pair();
    scheduler.submit_task(echo_task(socket));
    theirs.write_all(b"hello").unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    scheduler.run().unwrap();
    let mut echoed = vec![];
    theirs.read_to_end(&mut echoed).unwrap();
    assert_eq!(echoed, b"hello");
}

#[test]
#[should_panic(expected = "awaits a future that yields no event")]
fn a_task_that_waits_for_nothing_says_so() {
    Coroutine::new(async |_: Co| pending().await).send(Data::Start);
}

#[test]
fn a_task_waits_in_one_place_at_a_time() {
    let (one, _one) = pair();
    let (two, _two) = pair();
    let reached = Rc::new(Cell::new(false));
    let inside = Rc::clone(&reached);
    let mut scheduler = Scheduler::new(Select::default());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let _first = co.yield_(one.recv());
        let _second = co.yield_(two.recv());
        inside.set(true);
    }));
    scheduler.run().unwrap();
    assert!(!reached.get(), "the second yield must panic");
}

/// An I/O error is sent into the task that asked. (The original scheduler ends with the first
/// client that resets its connection.)
#[test]
fn an_error_is_a_result_for_one_task() {
    let (sock, addr) = listener();
    let notes: Notes<Option<ErrorKind>> = Notes::default();
    let noting = notes.clone();
    let mut scheduler = strict(Select::default());
    let handle = scheduler.handle();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        for _ in 0..2 {
            let (client, _) = co.yield_(sock.accept()).await.unwrap();
            let notes = noting.clone();
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
        good.shutdown(std::net::Shutdown::Write).unwrap();
        let mut echoed = vec![];
        good.read_to_end(&mut echoed).unwrap();
        echoed
    });
    scheduler.run().unwrap();
    assert_eq!(clients.join().unwrap(), b"hello");
    notes.borrow_mut().sort();
    assert_eq!(*notes.borrow(), [None, Some(ErrorKind::ConnectionReset)]);
}

#[test]
fn a_descriptor_that_the_poller_refuses_is_an_error_for_its_task() {
    struct Refuses;
    impl Poller for Refuses {
        const CALL: &'static str = "none";
        fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<Watch> {
            Err(io::Error::other("refused"))
        }
        fn unwatch(&mut self, _: i32, _: Direction) {}
        fn dry(&mut self, _: i32, _: Direction, _: Dry) {}
        fn wait(
            &mut self,
            _: Option<Duration>,
            _: impl FnMut(Readiness),
        ) -> io::Result<()> {
            Ok(())
        }
    }
    let (socket, _theirs) = pair();
    let mut scheduler = strict(Refuses);
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(co.yield_(socket.recv()).await.unwrap_err().to_string(), "refused");
        assert_eq!(
            co.yield_(socket.send(b"x")).await.unwrap_err().to_string(),
            "refused"
        );
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
}

#[test]
fn a_poller_that_cannot_go_on_ends_the_run() {
    struct Broken;
    impl Poller for Broken {
        const CALL: &'static str = "none";
        fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<Watch> {
            Ok(Watch::Wait)
        }
        fn unwatch(&mut self, _: i32, _: Direction) {}
        fn dry(&mut self, _: i32, _: Direction, _: Dry) {}
        fn wait(
            &mut self,
            _: Option<Duration>,
            mut ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            ready((77, Direction::Read)); // nobody waits for that
            Err(ErrorKind::Unsupported.into())
        }
    }
    let (socket, mut theirs) = pair();
    let mut scheduler = strict(Broken);
    scheduler.submit_task(echo_task(socket));
    assert_eq!(scheduler.run().unwrap_err().kind(), ErrorKind::Unsupported);
    drop(scheduler);
    assert_eq!(
        theirs.read(&mut [0; 1]).unwrap(),
        0,
        "its tasks are gone, and their sockets"
    );
}

#[test]
fn fail_stops_and_becomes_the_result() {
    let (socket, _theirs) = pair();
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(echo_task(socket));
    scheduler.handle().fail(io::Error::other("broken"));
    assert_eq!(scheduler.run().unwrap_err().to_string(), "broken");
}

/// The event that waits owns its socket: the number cannot be given to somebody else.
#[test]
fn a_waiting_event_keeps_its_descriptor() {
    let (socket, mut theirs) = pair();
    let number = socket.as_raw_fd();
    let mut scheduler = strict(Select::default());
    let handle = scheduler.handle();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let event = socket.recv();
        drop(socket);
        handle.submit_task(Coroutine::new(async move |_: Co| {
            let (other, _there) = pair();
            assert_ne!(other.as_raw_fd(), number);
            theirs.write_all(b"hello").unwrap();
        }));
        assert_eq!(*co.yield_(event).await.unwrap(), *b"hello");
    }));
    scheduler.run().unwrap();
}

/// A task whose events happen at once must not keep the others out: between two looks at the
/// sockets at most 64 results are sent into tasks.
#[test]
fn a_busy_task_does_not_starve_the_others() {
    #[derive(Default)]
    struct Counts {
        since: usize,
        most: usize,
    }
    struct Counting(Rc<RefCell<Counts>>);
    impl Trace for Counting {
        fn record(&mut self, step: Step<'_>) {
            let mut counts = self.0.borrow_mut();
            match step {
                Step::Enter { .. } => counts.since = 0,
                Step::Resume { .. } => counts.since += 1,
                _ => {}
            }
            counts.most = counts.most.max(counts.since);
        }
    }
    let counts = Rc::default();
    // Each send to a socket with room succeeds at once.
    let (busy, mut theirs) = pair();
    let poller = Random::new(1, true, Rc::default());
    let mut scheduler = Scheduler::with_trace(poller, Counting(Rc::clone(&counts)));
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        for _ in 0..200 {
            co.yield_(busy.send(b"x")).await.unwrap();
        }
    }));
    scheduler.run().unwrap();
    let mut all = vec![];
    theirs.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), 200);
    assert_eq!(counts.borrow().most, 64);

    // A batch that is larger is taken as a whole, but no more than that.
    *counts.borrow_mut() = Counts::default();
    let mut scheduler =
        Scheduler::with_trace(Select::default(), Counting(Rc::clone(&counts)));
    let handle = scheduler.handle();
    for _ in 0..200 {
        let handle = handle.clone();
        scheduler.submit_task(Coroutine::new(async move |_: Co| {
            handle.submit_task(Coroutine::new(async |_: Co| {}));
        }));
    }
    scheduler.run().unwrap();
    assert_eq!(counts.borrow().most, 200);
}

/// What a poller is told: `dry` only if the socket is empty, and always if it came up short.
/// (A poller that reports changes only would sleep for ever over what is left in the socket, or
/// try in vain before each wait.)
#[test]
fn a_socket_is_called_dry_when_it_is() {
    struct Watching {
        select: Select,
        ours: UnixStream,
        dry: Rc<Cell<u32>>,
    }
    impl Poller for Watching {
        const CALL: &'static str = "select";
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            self.select.watch(socket, direction)
        }
        fn unwatch(&mut self, fd: i32, direction: Direction) {
            self.select.unwatch(fd, direction);
        }
        fn dry(&mut self, _: i32, direction: Direction, _: Dry) {
            assert_eq!(direction, Direction::Read);
            let mut byte = [MaybeUninit::uninit()];
            let left = socket2::SockRef::from(&self.ours).peek(&mut byte);
            assert!(!matches!(left, Ok(1..)), "there is more");
            self.dry.set(self.dry.get() + 1);
        }
        fn wait(
            &mut self,
            timeout: Option<Duration>,
            ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            self.select.wait(timeout, ready)
        }
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    let socket = Socket::new(ours.try_clone().unwrap()).unwrap();
    let (dry, select) = (Rc::new(Cell::new(0)), Select::default());
    let mut scheduler = strict(Watching { select, ours, dry: Rc::clone(&dry) });
    let handle = scheduler.handle();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        (&theirs).write_all(&[1; RECEIVE_SIZE + 10]).unwrap();
        assert_eq!(co.yield_(socket.recv()).await.unwrap().len(), RECEIVE_SIZE);
        assert_eq!(dry.get(), 0, "a full receive says nothing about what is left");
        assert_eq!(co.yield_(socket.recv()).await.unwrap().len(), 10);
        assert_eq!(dry.get(), 1, "a short one does");
        (&theirs).write_all(&[1; RECEIVE_SIZE + 10]).unwrap();
        handle.submit_task(Coroutine::new(async move |co: Co| {
            co.yield_(sleep(Duration::from_millis(1))).await;
            drop(theirs);
        }));
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
}

/// An echo allocates nothing: the block comes back when it has been sent, or discarded.
#[test]
fn events_give_their_blocks_back() {
    for size in [10, 5000] {
        let (socket, mut theirs) = pair();
        let mut buffers = Buffers::default();
        theirs.write_all(&vec![7; size]).unwrap();
        let bytes = socket.try_recv(&mut buffers).unwrap();
        let block = bytes.as_ptr();
        let sent = Event::from(socket.send(bytes)).happen(&mut buffers);
        assert!(matches!(sent, Happened::Done { data: Data::Sent(n), .. } if n == size));
        // Freed memory would be given out again at once: this takes it.
        let _taken = (vec![0_u8; 1024], vec![0_u8; RECEIVE_SIZE]);
        theirs.write_all(&vec![7; size]).unwrap();
        let discarded = Event::from(socket.clone().close()).happen(&mut buffers);
        assert!(matches!(discarded, Happened::More(_)));
        let _taken_too = (vec![0_u8; 1024], vec![0_u8; RECEIVE_SIZE]);
        theirs.write_all(&vec![7; size]).unwrap();
        assert_eq!(socket.try_recv(&mut buffers).unwrap().as_ptr(), block);
    }
}

// Time.

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    let notes: Notes<u64> = Notes::default();
    let mut scheduler = strict(Select::default());
    let start = Instant::now();
    for millis in [30, 10, 0, 20] {
        let notes = notes.clone();
        scheduler.submit_task(Coroutine::new(async move |co: Co| {
            // Until a moment of one clock: a busy machine may run this late.
            let until = start + Duration::from_millis(millis);
            co.yield_(sleep(until.saturating_duration_since(Instant::now()))).await;
            assert!(start.elapsed() >= Duration::from_millis(millis));
            notes.borrow_mut().push(millis);
        }));
    }
    scheduler.run().unwrap();
    assert_eq!(*notes.borrow(), [0, 10, 20, 30]);
}

// Closing.

/// Closing a socket with unread input resets the connection, and destroys what is on its way;
/// during a stop as at any other time.
#[test]
fn close_waits_for_the_peer_and_loses_nothing() {
    const OWED: usize = 500_000;
    for stopping in [false, true] {
        let (sock, addr) = listener();
        let mut scheduler = strict(Select::default());
        let handle = scheduler.handle();
        scheduler.submit_task(Coroutine::new(async move |co: Co| {
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
        scheduler.run().unwrap();
        assert_eq!(client.join().unwrap(), OWED);
    }
}

/// A peer that goes on sending for ever is given up, whether the poller waits or tries first.
#[test]
fn close_gives_up_on_a_peer_that_never_ends() {
    let (sock, addr) = listener();
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let (client, _) = co.yield_(sock.accept()).await.unwrap();
        let start = Instant::now();
        co.yield_(client.close()).await;
        assert!(start.elapsed() >= CLOSE_PATIENCE);
    }));
    let flood = thread::spawn(move || {
        let mut client = TcpStream::connect(addr).unwrap();
        while client.write_all(&[1; 64 * 1024]).is_ok() {}
    });
    scheduler.run().unwrap();
    flood.join().unwrap();

    struct Endless {
        theirs: UnixStream,
        random: Random,
    }
    impl Poller for Endless {
        const CALL: &'static str = "none";
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            self.random.watch(socket, direction)
        }
        fn unwatch(&mut self, fd: i32, direction: Direction) {
            self.random.unwatch(fd, direction);
        }
        fn dry(&mut self, fd: i32, direction: Direction, why: Dry) {
            self.random.dry(fd, direction, why);
        }
        fn wait(
            &mut self,
            t: Option<Duration>,
            ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            let _ = self.theirs.write(&[1; 64 * 1024]);
            self.random.wait(t, ready)
        }
    }
    let (socket, theirs) = pair();
    theirs.set_nonblocking(true).unwrap();
    let random = Random::new(2, true, Rc::default());
    let mut scheduler = strict(Endless { theirs, random });
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
}

#[test]
fn close_is_at_once_if_the_peer_has_ended() {
    let (socket, theirs) = pair();
    drop(theirs);
    let recorder = Recorder::default();
    let mut scheduler = Scheduler::with_trace(Select::default(), recorder.clone());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert!(co.yield_(socket.recv()).await.unwrap().is_empty());
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
    let looks = recorder.lines().iter().filter(|line| line.starts_with("enter")).count();
    assert_eq!(looks, 1, "one for the end of input, and none that waits: {recorder:?}");
}

/// A deadline that was not needed must not hit what the task waits for next.
#[test]
fn a_deadline_is_forgotten_when_the_connection_is_closed() {
    let (one, mut theirs_one) = pair();
    let (two, mut theirs_two) = pair();
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(one.close()).await;
        let bytes = co.yield_(two.recv()).await.expect("it is waited for");
        assert_eq!(*bytes, *b"late");
    }));
    let other = thread::spawn(move || {
        let mut rest = vec![];
        theirs_one.read_to_end(&mut rest).unwrap();
        drop(theirs_one);
        let (_nobody, clock) = mpsc::channel::<()>();
        clock.recv_timeout(CLOSE_PATIENCE + Duration::from_millis(200)).unwrap_err();
        theirs_two.write_all(b"late").unwrap();
    });
    scheduler.run().unwrap();
    other.join().unwrap();
}

/// Nothing to discard yet is not the end: to close now would reset the connection.
#[test]
fn close_does_not_believe_that_there_is_something_to_discard() {
    /// Says each time that all is ready, and lets the peer end at the tenth.
    struct Liar {
        watched: BTreeSet<Readiness>,
        lies: Rc<Cell<u32>>,
        theirs: Option<UnixStream>,
    }
    impl Poller for Liar {
        const CALL: &'static str = "none";
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            self.watched.insert((socket.as_raw_fd(), direction));
            Ok(Watch::Wait)
        }
        fn unwatch(&mut self, fd: i32, direction: Direction) {
            self.watched.remove(&(fd, direction));
        }
        fn dry(&mut self, _: i32, _: Direction, _: Dry) {}
        fn wait(
            &mut self,
            _: Option<Duration>,
            mut ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            self.lies.set(self.lies.get() + 1);
            if self.lies.get() == 10 {
                self.theirs = None;
            }
            self.watched.iter().for_each(|it| ready(*it));
            Ok(())
        }
    }
    let (socket, theirs) = pair();
    let lies = Rc::new(Cell::new(0));
    let (watched, theirs) = (BTreeSet::new(), Some(theirs));
    let mut scheduler = strict(Liar { watched, lies: Rc::clone(&lies), theirs });
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
    assert_eq!(lies.get(), 10);
}

/// Who has had its share of discarding could go on at once, so the poller must not sleep: it
/// may be one that reports changes only, and there is none.
#[test]
fn nobody_sleeps_while_there_is_something_to_discard() {
    struct Hurried(Random);
    impl Poller for Hurried {
        const CALL: &'static str = "none";
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
            self.0.watch(socket, direction)
        }
        fn unwatch(&mut self, fd: i32, direction: Direction) {
            self.0.unwatch(fd, direction);
        }
        fn dry(&mut self, _: i32, _: Direction, _: Dry) {
            panic!("it has ended, and is never empty");
        }
        fn wait(
            &mut self,
            timeout: Option<Duration>,
            ready: impl FnMut(Readiness),
        ) -> io::Result<()> {
            assert_eq!(timeout, Some(Duration::ZERO));
            self.0.wait(timeout, ready)
        }
    }
    let (socket, mut theirs) = pair();
    theirs.write_all(&[1; 2 * RECEIVE_SIZE]).unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    let mut scheduler = strict(Hurried(Random::new(4, true, Rc::default())));
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
}

/// The close is refused because somebody else waits there; that one must not be hit by the
/// deadline of the close.
#[test]
fn a_deadline_is_forgotten_when_the_close_is_refused() {
    let (socket, mut theirs) = pair();
    let mut scheduler = strict(Select::default());
    let reading = socket.clone();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let bytes = co.yield_(reading.recv()).await.expect("it is waited for");
        assert_eq!(*bytes, *b"late");
    }));
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
        co.yield_(sleep(CLOSE_PATIENCE + Duration::from_millis(100))).await;
        theirs.write_all(b"late").unwrap();
    }));
    scheduler.run().unwrap();
}

// Stopping.

#[test]
fn a_stop_tells_everybody_who_waits() {
    let (sock, addr) = listener();
    let (idle, _idle) = pair();
    let (owed, mut theirs) = pair();
    theirs.write_all(b"already here").unwrap();
    let notes: Notes<String> = Notes::default();
    let mut scheduler = strict(Select::default());
    let noting = notes.clone();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let error = co.yield_(sock.accept()).await.unwrap_err();
        noting.borrow_mut().push(format!("accept: {:?}", error.kind()));
        let error = co.yield_(sock.accept()).await.unwrap_err();
        noting.borrow_mut().push(format!("accept again: {:?}", error.kind()));
    }));
    let noting = notes.clone();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let bytes = co.yield_(idle.recv()).await.unwrap();
        noting.borrow_mut().push(format!("idle: {}", bytes.len()));
    }));
    let (noting, handle) = (notes.clone(), scheduler.handle());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
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
    scheduler.run().unwrap();
    notes.borrow_mut().sort();
    let expected = [
        "accept again: Interrupted",
        "accept: Interrupted",
        "idle: 0",
        "owed: 0",
        "owed: 12",
    ];
    assert_eq!(*notes.borrow(), expected);
    let mut sent = vec![];
    theirs.read_to_end(&mut sent).unwrap();
    assert_eq!(sent, b"sent after the stop");
    assert!(TcpStream::connect(addr).is_err(), "the listening socket is closed");
}

/// A peer that never stops sending is heard for a while; then its handler is told the end.
#[test]
fn a_stop_does_not_receive_for_ever() {
    let (socket, mut theirs) = pair();
    let ended = Rc::new(Cell::new(false));
    let ending = Rc::clone(&ended);
    let mut scheduler = strict(Select::default());
    let handle = scheduler.handle();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
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
    scheduler.run().unwrap();
    assert!(ended.get(), "its handler finishes by the way it knows");
}

/// A connection that has just had its share of discarding when the stop begins is still closed
/// in an orderly way, whether the poller waits or tries first.
#[test]
fn a_stop_forgets_no_close_that_is_under_way() {
    fn stop_while_discarding(poller: impl Poller) {
        let (socket, mut theirs) = pair();
        theirs.write_all(&[1; 2 * RECEIVE_SIZE]).unwrap();
        let closed = Rc::new(Cell::new(false));
        let noting = Rc::clone(&closed);
        let mut scheduler = strict(poller);
        let handle = scheduler.handle();
        scheduler.submit_task(Coroutine::new(async move |co: Co| {
            co.yield_(socket.close()).await;
            noting.set(true);
        }));
        scheduler.submit_task(Coroutine::new(async move |_: Co| {
            handle.stop();
            drop(theirs);
        }));
        scheduler.run().unwrap();
        assert!(closed.get());
    }
    stop_while_discarding(Select::default());
    stop_while_discarding(Random::new(3, true, Rc::default()));
}

/// A task that neither finishes nor can be told is given up.
#[test]
fn a_stop_does_not_wait_for_ever() {
    let dropped = Rc::new(());
    let alive = Rc::downgrade(&dropped);
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(Duration::MAX)).await;
        drop(dropped);
    }));
    let (stuck, _theirs) = pair();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let _ = co.yield_(stuck.send(vec![0; 10_000_000])).await;
    }));
    scheduler.stop();
    let start = Instant::now();
    scheduler.run().unwrap();
    assert!(start.elapsed() >= STOP_GRACE);
    assert!(alive.upgrade().is_none(), "its tasks are dropped");
}

/// Wherever it is at that moment.
#[test]
fn a_stop_leaves_no_task_behind() {
    const LATE: Duration = Duration::from_millis(200);
    let dropped = Rc::new(());
    let alive = Rc::downgrade(&dropped);
    let mut scheduler = strict(Select::default());
    let (stuck, _full) = pair();
    let owned = Rc::clone(&dropped);
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let _ = co.yield_(stuck.send(vec![0; 10_000_000])).await;
        drop(owned);
    }));
    let (late, _silent) = pair();
    let owned = Rc::clone(&dropped);
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(STOP_GRACE - LATE)).await;
        co.yield_(late.close()).await;
        drop(owned);
    }));
    let (deaf, _other) = pair();
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(STOP_GRACE - LATE)).await;
        // It does not understand the end of input, so it can always go on.
        while co.yield_(deaf.recv()).await.is_ok() {}
        drop(dropped);
    }));
    scheduler.stop();
    scheduler.run().unwrap();
    assert!(alive.upgrade().is_none(), "its tasks are dropped");
}

/// A task that owns a handle shares the queue that owns the task.
#[test]
fn a_scheduler_that_never_runs_drops_its_tasks() {
    let owned = Rc::new(());
    let alive = Rc::downgrade(&owned);
    let mut scheduler = strict(Select::default());
    let handle = scheduler.handle();
    scheduler.submit_task(Coroutine::new(async move |_: Co| {
        let _owned = (owned, handle);
    }));
    drop(scheduler);
    assert!(alive.upgrade().is_none());
}

// Lines.

/// What has been searched for the end of a line is not searched again: else this would take
/// hours.
#[test]
fn a_line_in_a_million_pieces() {
    const PIECES: usize = 1_000_000;
    const WATCHDOG: Duration = Duration::from_secs(30);
    let (socket, _theirs) = pair();
    let mut task = Coroutine::new(async move |co: Co| {
        let mut lines = Lines::new(socket);
        let line = read_line(&co, &mut lines).await.unwrap().unwrap();
        assert_eq!(line.len(), PIECES + 1);
    });
    let start = Instant::now();
    task.send(Data::Start);
    for _ in 0..PIECES {
        let resumed = task.send(Data::Received(b"x".into()));
        assert!(matches!(resumed, Resumed::Yielded(Event::Receive(_), _)));
        assert!(start.elapsed() < WATCHDOG, "it searches from the start each time");
    }
    assert!(matches!(task.send(Data::Received(b"\n".into())), Resumed::Finished));
}

// By hand, and by the compiler.

/// The same client talks to both servers; both do the same, step by step.
#[test]
fn a_task_written_by_hand_cannot_be_told_apart() {
    fn coroutine(client: Socket, addr: SocketAddr, log: Log) -> impl Task {
        Coroutine::new(async move |co: Co| {
            echo(&co, client).await.unwrap();
            log.disconnected(addr);
        })
    }
    /// The steps of each task. (In which order `select` reports two clients depends on their
    /// descriptors, and so on what the other tests of this process have open.)
    fn record(server: impl FnOnce(Socket, Handle) -> Box<dyn Task>) -> Vec<Vec<String>> {
        let (sock, addr) = listener();
        let recorder = Recorder::default();
        let mut scheduler = Scheduler::with_trace(Select::default(), recorder.clone());
        let handle = scheduler.handle();
        scheduler.submit_task(server(sock, handle.clone()));
        let mut clients: Vec<TcpStream> =
            (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
        for (client, size) in clients.iter_mut().zip([5, 5000, 0]) {
            client.write_all(&vec![7; size]).unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let reading = thread::spawn(move || {
            clients.iter_mut().for_each(|client| {
                client.read_to_end(&mut vec![]).unwrap();
            });
        });
        // The test's last task: when the three clients have been served, the server stops.
        recorder.stop_after(3, handle);
        scheduler.run().unwrap();
        reading.join().unwrap();
        let steps = |task: usize| {
            let lines = recorder.lines().into_iter();
            let of = |line: &String| line.split(' ').nth(1) == Some(&task.to_string());
            lines.filter(of).collect()
        };
        (1..=4).map(steps).collect()
    }
    let log = Log::new(true);
    let by_hand =
        record(|sock, handle| Box::new(by_hand::EchoServer::new(sock, handle, log)));
    let by_the_compiler = record(|sock, scheduler| {
        Box::new(Coroutine::new(async move |co: Co| {
            while let Ok((client, addr)) = co.yield_(sock.accept()).await {
                scheduler.submit_task(coroutine(client, addr, log));
            }
        }))
    });
    assert!(by_hand.iter().flatten().count() > 40, "a real run");
    assert_eq!(by_hand, by_the_compiler);
}

/// A buffer is what its event owns, not what a task lends.
#[test]
fn an_empty_send_is_done_at_once() {
    let (socket, _theirs) = pair();
    let mut scheduler = strict(Select::default());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert_eq!(co.yield_(socket.send(Buffer::default())).await.unwrap(), 0);
    }));
    scheduler.run().unwrap();
}
