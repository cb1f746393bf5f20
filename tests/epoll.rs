//! The poller of stage 05: what it reports, and what it lets the kernel know.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "its `main` is run elsewhere")]
#[path = "../examples/edge.rs"]
mod edge;
mod support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bricks::epoll::Epoll;
use bricks::net::Direction::{Read as ForRead, Write as ForWrite};
use bricks::net::{Readiness, Socket};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::sleep;
use bricks::scheduler::poller::Poller;
use bricks::scheduler::task::{Co, Coroutine, Task};
use bricks::select::Select;
use bricks::trace::{Step, Trace};
use nix::sys::epoll::EpollFlags;
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use proptest::prelude::*;
use socket2::SockRef;

use support::drivers::{Panics, at_number, echo_task, pair, tcp_pair};
use support::scripted::{Client, Dice, Spied, Spy};

/// One test at a time: some need a descriptor's number again, and no other may take it meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const TAKEN: &str = "each test is alone, so nobody else takes the number";

const A_WHILE: Duration = Duration::from_millis(50);

/// What the poller reports now, without waiting.
fn reported(epoll: &mut Epoll) -> Vec<Readiness> {
    reported_within(epoll, Duration::ZERO)
}

fn reported_within(epoll: &mut Epoll, timeout: Duration) -> Vec<Readiness> {
    let mut ready = vec![];
    epoll.wait(Some(timeout), &mut ready).unwrap();
    ready
}

/// A report that no task waits for may end one sleep, but not two.
fn sleeps_in_the_end(epoll: &mut Epoll) {
    assert_eq!(reported_within(epoll, A_WHILE), []);
    let start = Instant::now();
    assert_eq!(reported_within(epoll, A_WHILE), []);
    assert!(start.elapsed() >= A_WHILE, "it has not slept");
}

/// A socket that is watched, its other end, and its number.
fn watched(epoll: &mut Epoll) -> (Socket, UnixStream, RawFd) {
    let (socket, theirs) = pair();
    epoll.watch(&socket, ForRead).unwrap();
    let fd = socket.as_raw_fd();
    (socket, theirs, fd)
}

#[test]
fn each_watch_is_answered_once() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let (socket, mut theirs, fd) = watched(&mut epoll);
    assert_eq!(reported(&mut epoll), []);
    theirs.write_all(b"hello").unwrap();
    for _ in 0..3 {
        assert_eq!(reported(&mut epoll), [(fd, ForRead)]);
        assert_eq!(reported(&mut epoll), [], "no task waits any more");
        // It has not been read, and is there still.
        epoll.watch(&socket, ForRead).unwrap();
    }
}

#[test]
fn what_no_task_waits_for_is_not_reported() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let (socket, mut theirs, fd) = watched(&mut epoll);
    epoll.unwatch(fd, ForRead);
    theirs.write_all(b"hello").unwrap();
    sleeps_in_the_end(&mut epoll);
    epoll.watch(&socket, ForRead).unwrap();
    assert_eq!(reported(&mut epoll), [(fd, ForRead)]);
}

#[test]
fn directions_are_kept_apart() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let (socket, mut theirs, fd) = watched(&mut epoll);
    epoll.watch(&socket, ForWrite).unwrap();
    assert_eq!(reported(&mut epoll), [(fd, ForWrite)]);
    // There is room still, and no task waits for it.
    sleeps_in_the_end(&mut epoll);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), [(fd, ForRead)]);
}

/// What the kernel knows costs no call when it is waited for again. It is told only when it ends a
/// sleep with what no task waits for.
#[test]
fn a_socket_stays_registered_until_it_disturbs() {
    let _alone = alone();
    let (mut epoll, instance) = numbered();
    let (_socket, mut theirs, fd) = watched(&mut epoll);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported_within(&mut epoll, A_WHILE), [(fd, ForRead)]);
    assert_eq!(registered(&instance), [fd]);
    assert_eq!(reported(&mut epoll), []);
    assert_eq!(registered(&instance), [fd], "nothing was to sleep");
    assert_eq!(reported_within(&mut epoll, A_WHILE), []);
    assert_eq!(registered(&instance), []);
}

/// The descriptors that this instance watches, as the kernel says.
fn registered(instance: &str) -> Vec<RawFd> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{instance}")).unwrap();
    let number =
        |line: &str| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok();
    info.lines().filter_map(number).collect()
}

/// A signal with a handler ends the wait, whatever `SA_RESTART` says; that is no error, and there
/// are no reports.
#[test]
fn a_signal_ends_the_wait_with_nothing_ready() {
    let _alone = alone();
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::default()).unwrap();
    let (started, waiting) = mpsc::channel();
    let sleeping = thread::spawn(move || {
        let mut epoll = Epoll::new().unwrap();
        started.send(pthread_self()).unwrap();
        reported_within(&mut epoll, Duration::from_secs(60))
    });
    let thread = waiting.recv().unwrap();
    // The first signals may come before the thread is in `epoll_wait`.
    while !sleeping.is_finished() {
        pthread_kill(thread, Signal::SIGUSR1).unwrap();
        thread::yield_now();
    }
    assert_eq!(sleeping.join().unwrap(), []);
}

/// So a recording names it, and a send costs no call of the poller's.
#[test]
fn it_is_called_epoll_wait_and_lets_a_send_be_tried_first() {
    let _alone = alone();
    let epoll = Epoll::new().unwrap();
    assert_eq!((epoll.call(), epoll.sends_first()), ("epoll_wait", true));
}

/// A listening socket that is shut down: the kernel says that it has hung up, and not that it can
/// be read from.
#[test]
fn a_hang_up_is_for_readers_and_writers() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sock = Socket::new(listener.try_clone().unwrap()).unwrap();
    epoll.watch(&sock, ForRead).unwrap();
    epoll.watch(&sock, ForWrite).unwrap();
    assert_eq!(reported(&mut epoll), []);
    SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
    let fd = sock.as_raw_fd();
    assert_eq!(reported(&mut epoll), [(fd, ForRead), (fd, ForWrite)]);
    assert_eq!(reported(&mut epoll), []);
}

/// A socket is closed, and the next one gets its number: the kernel does not know that one yet.
#[test]
fn a_number_that_comes_back() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let (old, _theirs, fd) = watched(&mut epoll);
    drop(old);
    let (new, mut theirs) = at_number(fd, pair).expect(TAKEN);
    epoll.watch(&new, ForRead).unwrap();
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), [(fd, ForRead)]);
}

/// The kernel goes on watching a closed socket while another process has a duplicate of it, and
/// cannot be told to stop.
#[test]
fn a_report_about_a_closed_socket_is_nobodys() {
    let _alone = alone();
    let mut epoll = Epoll::new().unwrap();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let _duplicate = ours.try_clone().unwrap();
    let old = Socket::new(ours).unwrap();
    epoll.watch(&old, ForRead).unwrap();
    let fd = old.as_raw_fd();
    epoll.unwatch(fd, ForRead);
    drop(old);
    theirs.write_all(b"for a task that has ended").unwrap();
    assert_eq!(reported_within(&mut epoll, A_WHILE), []);
    let (new, mut theirs) = at_number(fd, pair).expect(TAKEN);
    theirs.write_all(b"for the new one").unwrap();
    assert_eq!(reported_within(&mut epoll, A_WHILE), []);
    epoll.watch(&new, ForRead).unwrap();
    assert_eq!(reported(&mut epoll), [(fd, ForRead)]);
}

/// Runs a task alone, and counts how often the scheduler has waited for it.
fn waits_of(task: impl Task + 'static) -> u32 {
    struct Waits(Rc<Cell<u32>>);
    impl Trace for Waits {
        fn record(&mut self, step: Step<'_>) {
            if let Step::Enter { .. } = step {
                self.0.set(self.0.get() + 1);
            }
        }
    }
    let waits = Rc::default();
    let trace = Box::new(Waits(Rc::clone(&waits)));
    let mut scheduler = Scheduler::new(Epoll::new().unwrap(), Some(trace));
    scheduler.submit_task(task);
    scheduler.run().unwrap();
    waits.get()
}

/// A client that ends its connection while nobody waits for it, and the wake-ups it causes.
#[test]
fn a_hang_up_without_interest_is_no_busy_loop() {
    let _alone = alone();
    let (socket, mut theirs) = pair();
    let waits = waits_of(Coroutine::new(async move |co: Co| {
        theirs.write_all(b"hello").unwrap();
        assert_eq!(co.yield_(socket.recv()).await.unwrap(), b"hello");
        drop(theirs);
        co.yield_(sleep(A_WHILE)).await;
        assert!(co.yield_(socket.recv()).await.unwrap().is_empty());
    }));
    assert!(waits <= 4, "it has waited {waits} times");
}

/// The same if it resets the connection. It may have said something before: that makes a short
/// read, and the error comes with the next.
#[test]
fn a_reset_without_interest_is_no_busy_loop() {
    let _alone = alone();
    for last in [&b""[..], b"bye"] {
        let (socket, mut theirs) = tcp_pair();
        let waits = waits_of(Coroutine::new(async move |co: Co| {
            theirs.write_all(b"hello").unwrap();
            assert_eq!(co.yield_(socket.recv()).await.unwrap(), b"hello");
            theirs.write_all(last).unwrap();
            SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
            drop(theirs);
            co.yield_(sleep(A_WHILE)).await;
            if !last.is_empty() {
                assert_eq!(co.yield_(socket.recv()).await.unwrap(), last);
            }
            let error = co.yield_(socket.recv()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }));
        assert!(waits <= 5, "it has waited {waits} times");
    }
}

/// Clients that move a little before each look at the system, which does not wait for them.
struct Moving {
    dice: Dice,
    clients: Rc<RefCell<Vec<Client>>>,
}

impl Spy for Moving {
    fn before_waiting(&mut self, _: Option<Duration>) -> Option<Duration> {
        let mut clients = self.clients.borrow_mut();
        let one = self.dice.roll(clients.len());
        clients[one].move_a_little(1 + self.dice.roll(100_000));
        Some(Duration::ZERO)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 50,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Clients that move a little in each round, on the real system: each gets back its own
    /// bytes, all of them, in order. And no round waits, or nothing would move any more.
    #[test]
    fn real_readiness_loses_nothing(
        seed in any::<u64>(),
        epoll in any::<bool>(),
        sizes in prop::collection::vec(0..300_000_usize, 1..6),
    ) {
        let _alone = alone();
        if epoll {
            echo_all(Epoll::new().unwrap(), seed, &sizes)?;
        } else {
            echo_all(Select::default(), seed, &sizes)?;
        }
    }
}

fn echo_all(
    poller: impl Poller + 'static,
    seed: u64,
    sizes: &[usize],
) -> Result<(), TestCaseError> {
    let mut clients = vec![];
    let mut sockets = vec![];
    for (i, size) in (0..).zip(sizes) {
        let (socket, stream) = pair();
        clients.push(Client::new(stream, *size, seed ^ i));
        sockets.push(socket);
    }
    let clients = Rc::new(RefCell::new(clients));
    let spy = Moving { dice: Dice(seed), clients: Rc::clone(&clients) };
    let mut scheduler = Scheduler::new(Spied { poller, spy }, Panics::Fail.trace());
    for socket in sockets {
        scheduler.submit_task(echo_task(socket));
    }
    scheduler.run().unwrap();
    for client in clients.borrow_mut().iter_mut() {
        client.finish();
        prop_assert!(client.received == client.data, "bytes in are not bytes out");
    }
    Ok(())
}

/// Each descriptor of an epoll instance must be closed when another program is started.
#[test]
fn the_instance_is_not_inherited() {
    let _alone = alone();
    let (_epoll, instance) = numbered();
    let mut flags = String::new();
    let path = format!("/proc/self/fdinfo/{instance}");
    File::open(path).unwrap().read_to_string(&mut flags).unwrap();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
    assert!(flags & libc_cloexec() != 0, "{flags:o}");
}

fn libc_cloexec() -> i32 {
    nix::fcntl::OFlag::O_CLOEXEC.bits()
}

/// An instance, and its descriptor.
fn numbered() -> (Epoll, String) {
    let before = instances();
    let epoll = Epoll::new().unwrap();
    let instance = instances().into_iter().find(|fd| !before.contains(fd)).unwrap();
    (epoll, instance)
}

/// The descriptors of this process that are epoll instances.
fn instances() -> Vec<String> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let is_one = |entry: &io::Result<std::fs::DirEntry>| {
        let target = entry.as_ref().ok().and_then(|it| it.path().read_link().ok());
        target.is_some_and(|target| target.to_string_lossy().contains("eventpoll"))
    };
    let name = |entry: io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().into_string().unwrap()
    };
    entries.filter(is_one).map(name).collect()
}

/// A server with edges that stops as soon as it has something waits for what is there already.
#[test]
fn after_an_edge_nothing_is_left() {
    let _alone = alone();
    let mut it = edge::Watched::new(b"hello", EpollFlags::EPOLLET).unwrap();
    assert_eq!(it.read_all().unwrap(), (b"hello".to_vec(), false));
}

/// One that takes a short read for a proof that nothing is left does not see the end.
#[test]
fn after_an_edge_not_even_the_end_is_left() {
    let _alone = alone();
    let mut it = edge::Watched::new(b"bye", EpollFlags::EPOLLET).unwrap();
    it.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(it.read_all().unwrap(), (b"bye".to_vec(), true));
}
