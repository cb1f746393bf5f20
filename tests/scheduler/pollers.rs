//! Pollers that are not the system: they follow a script, lie, or keep the order they like.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::Scheduler;
use bricks::scheduler::poller::Poller;
use bricks::scheduler::task::{Co, Coroutine};
use bricks::select::Select;
use bricks::trace::{Step, Trace};
use proptest::prelude::*;

use crate::driver::{Kind, random};
use crate::stopping::a_stop_forgets_no_close_that_is_under_way as stop_while_closing;
use crate::support::drivers::{Panics, echo_task, hear_all, pair};
use crate::support::scripted::{Client, Random, Recorder, Spied, Spy};

/// A scheduler of tasks that must not panic, on this poller.
fn strict(poller: impl Poller + 'static) -> Scheduler {
    Scheduler::new(poller, Panics::Fail.trace())
}

proptest! {
    // A failure is told and not kept: whoever breaks this for the book keeps a clean tree.
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Readiness in any order, too early, too late, or a lie, and little room to send: each client
    /// gets back its own bytes, all of them, in order.
    #[test]
    fn random_readiness_loses_nothing(
        seed in any::<u64>(),
        sends_first in any::<bool>(),
        sizes in prop::collection::vec(0..300_000_usize, 1..6),
    ) {
        let mut clients = vec![];
        let mut sockets = vec![];
        for (i, size) in (0..).zip(&sizes) {
            let (ours, stream) = UnixStream::pair().unwrap();
            socket2::SockRef::from(&ours).set_send_buffer_size(10_000).unwrap();
            clients.push(Client::new(stream, *size, seed ^ i));
            sockets.push(Socket::new(ours).unwrap());
        }
        let finished = Rc::new(RefCell::new(clients));
        let poller = Random::new(seed, sends_first, Rc::clone(&finished));
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
fn a_descriptor_that_the_poller_refuses_is_an_error_for_its_task() {
    struct Refuses;
    impl Poller for Refuses {
        fn call(&self) -> &'static str {
            "none"
        }
        fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<()> {
            Err(io::Error::other("refused"))
        }
        fn unwatch(&mut self, _: i32, _: Direction) {}
        fn wait(
            &mut self,
            _: Option<Duration>,
            _: &mut Vec<Readiness>,
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
        fn call(&self) -> &'static str {
            "none"
        }
        fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<()> {
            Ok(())
        }
        fn unwatch(&mut self, _: i32, _: Direction) {}
        fn wait(
            &mut self,
            _: Option<Duration>,
            ready: &mut Vec<Readiness>,
        ) -> io::Result<()> {
            ready.push((77, Direction::Read)); // nobody waits for that
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
    let (busy, theirs) = pair();
    let trace = Counting(Rc::clone(&counts));
    let mut scheduler = Scheduler::new(random(), Some(Box::new(trace)));
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        for _ in 0..200 {
            co.yield_(busy.send(b"x")).await.unwrap();
        }
    }));
    scheduler.run().unwrap();
    assert_eq!(hear_all(theirs).len(), 200);
    assert_eq!(counts.borrow().most, 64);

    // A batch that is larger is taken as a whole, but no more than that.
    *counts.borrow_mut() = Counts::default();
    let mut scheduler =
        Scheduler::new(Select::default(), Some(Box::new(Counting(Rc::clone(&counts)))));
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

#[test]
fn close_is_at_once_if_the_peer_has_ended() {
    let (socket, theirs) = pair();
    drop(theirs);
    let recorder = Recorder::default();
    let mut scheduler = Scheduler::new(Select::default(), recorder.trace());
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        assert!(co.yield_(socket.recv()).await.unwrap().is_empty());
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
    let looks = recorder.lines().iter().filter(|line| line.starts_with("enter")).count();
    assert_eq!(looks, 1, "one for the end of input, and none that waits: {recorder:?}");
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
        fn call(&self) -> &'static str {
            "none"
        }
        fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
            self.watched.insert((socket.as_raw_fd(), direction));
            Ok(())
        }
        fn unwatch(&mut self, fd: i32, direction: Direction) {
            self.watched.remove(&(fd, direction));
        }
        fn wait(
            &mut self,
            _: Option<Duration>,
            ready: &mut Vec<Readiness>,
        ) -> io::Result<()> {
            self.lies.set(self.lies.get() + 1);
            if self.lies.get() == 10 {
                self.theirs = None;
            }
            ready.extend(std::mem::take(&mut self.watched));
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

/// A peer that goes on sending for ever is given up also by a poller that says each time that it
/// may be ready.
#[test]
fn close_gives_up_on_a_peer_that_never_ends() {
    struct Flooding(UnixStream);
    impl Spy for Flooding {
        fn before_waiting(&mut self, timeout: Option<Duration>) -> Option<Duration> {
            let _ = self.0.write(&[1; 64 * 1024]);
            timeout
        }
    }
    let (socket, theirs) = pair();
    theirs.set_nonblocking(true).unwrap();
    let mut scheduler = strict(Spied { poller: random(), spy: Flooding(theirs) });
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(socket.close()).await;
    }));
    scheduler.run().unwrap();
}

#[test]
fn a_stop_forgets_no_close_that_is_under_way() {
    stop_while_closing(Kind::Random);
}
