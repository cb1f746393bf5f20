//! The poller of stage 05: what it remembers of what the kernel told it once.
#![cfg(target_os = "linux")]

mod support;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bricks::epoll::Epoll;
use bricks::event::sleep;
use bricks::net::Socket;
use bricks::poller::Direction::{Read as ForRead, Write as ForWrite};
use bricks::poller::{Direction, Dry, Poller, Readiness, Select, Watch};
use bricks::scheduler::Scheduler;
use bricks::task::{Co, Coroutine, Task};
use bricks::trace::{Step, Trace};
use proptest::prelude::*;

use support::drivers::{Panics, at_number, echo_task, pair, tcp_pair};
use support::scripted::{Client, Dice, Spied, Spy};

/// One test at a time: some need a descriptor's number again, and no other may take it meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const TAKEN: &str = "each test is alone, so nobody else takes the number";

/// What the poller reports now, without waiting.
fn reported(epoll: &mut Epoll) -> Vec<Readiness> {
    let mut ready = vec![];
    epoll.wait(Some(Duration::ZERO), |it| ready.push(it)).unwrap();
    ready
}

/// A socket that is known to have nothing to read, and somebody waits for it.
fn waits(epoll: &mut Epoll, socket: &Socket) {
    assert_eq!(epoll.watch(socket, ForRead).unwrap(), Watch::TryNow);
    epoll.dry(socket.as_raw_fd(), ForRead, Dry::WouldBlock);
    assert_eq!(epoll.watch(socket, ForRead).unwrap(), Watch::Wait);
}

#[test]
fn who_has_not_tried_shall_try() {
    let _alone = alone();
    let (socket, _theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    for direction in [ForRead, ForWrite, ForRead] {
        assert_eq!(epoll.watch(&socket, direction).unwrap(), Watch::TryNow);
    }
}

#[test]
fn a_change_is_reported_once() {
    let _alone = alone();
    let (socket, mut theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &socket);
    assert_eq!(reported(&mut epoll), []);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), [(socket.as_raw_fd(), ForRead)]);
    // Nobody has read it. The kernel does not say so again: we remember.
    assert_eq!(reported(&mut epoll), []);
    assert_eq!(epoll.watch(&socket, ForRead).unwrap(), Watch::TryNow);
}

#[test]
fn a_report_that_nobody_waits_for_is_remembered() {
    let _alone = alone();
    let (socket, mut theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &socket);
    epoll.unwatch(socket.as_raw_fd(), ForRead);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), []);
    assert_eq!(epoll.watch(&socket, ForRead).unwrap(), Watch::TryNow);
}

/// Data and the end of input come in one report. The read that takes the data is short: still,
/// the next one must not wait, because nothing will report the end again.
#[test]
fn a_short_read_does_not_hide_the_end() {
    let _alone = alone();
    for end in [Shutdown::Write, Shutdown::Both] {
        let (socket, mut theirs) = pair();
        let mut epoll = Epoll::new().unwrap();
        waits(&mut epoll, &socket);
        theirs.write_all(b"the last words").unwrap();
        theirs.shutdown(end).unwrap();
        assert_eq!(reported(&mut epoll), [(socket.as_raw_fd(), ForRead)]);
        epoll.dry(socket.as_raw_fd(), ForRead, Dry::Short);
        assert_eq!(epoll.watch(&socket, ForRead).unwrap(), Watch::TryNow);
    }
}

/// But one that would have to wait says that there is no end: else it would be tried for ever.
#[test]
fn a_read_that_would_block_is_believed() {
    let _alone = alone();
    let (socket, theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &socket);
    theirs.shutdown(Shutdown::Write).unwrap();
    assert_eq!(reported(&mut epoll), [(socket.as_raw_fd(), ForRead)]);
    epoll.dry(socket.as_raw_fd(), ForRead, Dry::WouldBlock);
    assert_eq!(epoll.watch(&socket, ForRead).unwrap(), Watch::Wait);
}

/// One waits to read and one to write; the connection goes away, and both are told, once.
#[test]
fn a_hang_up_is_for_readers_and_writers() {
    let _alone = alone();
    let (socket, theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    for direction in [ForRead, ForWrite] {
        epoll.watch(&socket, direction).unwrap();
        epoll.dry(socket.as_raw_fd(), direction, Dry::WouldBlock);
    }
    // (There is room to write, so that is the kernel's first report.)
    assert_eq!(reported(&mut epoll), []);
    for direction in [ForRead, ForWrite] {
        epoll.dry(socket.as_raw_fd(), direction, Dry::WouldBlock);
        assert_eq!(epoll.watch(&socket, direction).unwrap(), Watch::Wait);
    }
    drop(theirs);
    let fd = socket.as_raw_fd();
    assert_eq!(reported(&mut epoll), [(fd, ForRead), (fd, ForWrite)]);
    assert_eq!(reported(&mut epoll), []);
}

/// The kernel knows a socket until its last duplicate is closed, and reports under the old key.
#[test]
fn a_report_about_a_closed_socket_is_nobodys() {
    let _alone = alone();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let _duplicate = ours.try_clone().unwrap();
    let old = Socket::new(ours).unwrap();
    let number = old.as_raw_fd();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &old);
    drop(old);
    let (new, mut other_side) = at_number(number, pair).expect(TAKEN);
    waits(&mut epoll, &new);
    theirs.write_all(b"for somebody who has gone").unwrap();
    assert_eq!(reported(&mut epoll), []);
    other_side.write_all(b"for the new one").unwrap();
    assert_eq!(reported(&mut epoll), [(number, ForRead)]);
}

/// The same open file under the same number, as another socket: the kernel knows it already.
#[test]
fn a_socket_that_comes_back_under_its_number() {
    let _alone = alone();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let duplicate = OwnedFd::from(ours.try_clone().unwrap());
    let old = Socket::new(ours).unwrap();
    let number = old.as_raw_fd();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &old);
    drop(old);
    let mut again =
        at_number(number, || (OwnedFd::from(File::open("/dev/null").unwrap()), ()))
            .expect(TAKEN)
            .0;
    nix::unistd::dup2(duplicate.as_fd(), &mut again).unwrap();
    let new = Socket::new(again).unwrap();
    waits(&mut epoll, &new);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), [(number, ForRead)]);
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
    let trace = Waits(Rc::clone(&waits));
    let mut scheduler = Scheduler::with_trace(Epoll::new().unwrap(), trace);
    scheduler.submit_task(task);
    scheduler.run().unwrap();
    waits.get()
}

const A_WHILE: Duration = Duration::from_millis(50);

/// A client that ends its connection while nobody waits for it, and the wake-ups it causes.
#[test]
fn a_hang_up_without_interest_is_no_busy_loop() {
    let _alone = alone();
    let (socket, mut theirs) = pair();
    let waits = waits_of(Coroutine::new(async move |co: Co| {
        theirs.write_all(b"hello").unwrap();
        assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *b"hello");
        drop(theirs);
        co.yield_(sleep(A_WHILE)).await;
        assert!(co.yield_(socket.recv()).await.unwrap().is_empty());
    }));
    assert!(waits <= 3, "it has waited {waits} times");
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
            assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *b"hello");
            theirs.write_all(last).unwrap();
            socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
            drop(theirs);
            co.yield_(sleep(A_WHILE)).await;
            if !last.is_empty() {
                assert_eq!(*co.yield_(socket.recv()).await.unwrap(), *last);
            }
            let error = co.yield_(socket.recv()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }));
        assert!(waits <= 3, "it has waited {waits} times");
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

fn echo_all<P: Poller>(
    poller: P,
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
    let mut scheduler = Scheduler::with_trace(Spied { poller, spy }, Panics::Fail);
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
    let before: Vec<_> = instances();
    let _epoll = Epoll::new().unwrap();
    let instance = instances().into_iter().find(|fd| !before.contains(fd)).unwrap();
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

#[test]
fn directions_are_kept_apart() {
    let _alone = alone();
    let (socket, mut theirs) = pair();
    let mut epoll = Epoll::new().unwrap();
    waits(&mut epoll, &socket);
    assert_eq!(epoll.watch(&socket, Direction::Write).unwrap(), Watch::TryNow);
    theirs.write_all(b"hello").unwrap();
    assert_eq!(reported(&mut epoll), [(socket.as_raw_fd(), ForRead)]);
}
