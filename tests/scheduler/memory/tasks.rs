//! What the scheduler promises its tasks.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use bricks_in_memory::Text;
use bricks_in_memory::log;
use bricks_in_memory::net::Direction::{self, Read};
use bricks_in_memory::net::{self, Peer, Readiness, Socket};
use bricks_in_memory::poller::Decision;
use bricks_in_memory::recording::Recording;
use bricks_in_memory::scheduler::Scheduler;
use bricks_in_memory::scheduler::event::{CLOSE_PATIENCE, Data, sleep};
use bricks_in_memory::scheduler::poller::Poller;
use bricks_in_memory::scheduler::stop::STOP_GRACE;
use bricks_in_memory::scheduler::task::{Co, Coroutine, Resumed, Task};
use std::os::fd::AsRawFd;

use super::{World, echo, has_ended_well, readable, writable};

const MILLI: Duration = Duration::from_millis(1);

/// The first goes on waiting. (The original table keeps only the second.)
#[test]
fn two_tasks_want_the_same_of_one_descriptor() {
    let mut world = World::new();
    let socket = world.script.socket();
    let notes = Rc::new(RefCell::new(vec![]));
    for name in ["first", "second"] {
        let (socket, notes) = (socket.clone(), Rc::clone(&notes));
        world.submit(async move |co| {
            let result = co.yield_(socket.recv()).await;
            let result = result.map_err(|error| error.kind());
            notes.borrow_mut().push((name, result));
        });
    }
    world.decide(&[]);
    assert_eq!(notes.take(), [("second", Err(ErrorKind::ResourceBusy))]);
    world.script.peer(0).send(b"hello");
    assert!(world.decide(&[readable(3)]));
    assert_eq!(notes.take(), [("first", Ok(b"hello".to_vec()))]);
}

#[test]
fn one_task_may_read_while_another_writes() {
    let mut world = World::new();
    let socket = world.script.socket();
    let peer = world.script.peer(0);
    peer.room(1);
    let reading = socket.clone();
    world.submit(async move |co| {
        assert_eq!(co.yield_(reading.recv()).await.unwrap(), b"in");
    });
    world.submit(async move |co| {
        assert_eq!(co.yield_(socket.send(b"out")).await.unwrap(), 3);
    });
    peer.send(b"in");
    let mut out = vec![];
    while !world.report_all() {
        out.extend(peer.receive());
    }
    out.extend(peer.receive());
    assert_eq!(out, b"out");
}

#[test]
fn an_empty_send_is_done() {
    let mut world = World::new();
    let socket = world.script.socket();
    world.script.peer(0).room(0);
    world.submit(async move |co| {
        assert_eq!(co.yield_(socket.send([])).await.unwrap(), 0);
    });
    assert!(world.report_all() || world.report_all());
}

/// The event that waits owns its socket: its number is not given to the next.
#[test]
fn a_waiting_event_keeps_its_descriptor() {
    let mut world = World::new();
    let socket = world.script.socket();
    world.submit(async move |co| {
        let event = socket.recv();
        drop(socket);
        assert_eq!(co.yield_(event).await.unwrap(), b"hello");
    });
    world.decide(&[]);
    assert_eq!(world.script.socket().as_raw_fd(), 4);
    world.script.peer(0).send(b"hello");
    assert!(world.decide(&[readable(3)]));
    assert_eq!(world.script.socket().as_raw_fd(), 3);
}

#[test]
fn a_panicking_task_ends_alone() {
    let mut world = World::new();
    for number in 0..3 {
        let socket = world.script.socket();
        world.submit(async move |co| {
            if number == 1 {
                let bytes = co.yield_(socket.recv()).await.unwrap();
                // As a panic does, but without its message among those of the tests.
                std::panic::resume_unwind(Box::new(format!("{} bytes", bytes.len())));
            }
            echo(co, socket).await;
        });
        world.script.peer(number).send(b"hello");
        world.script.peer(number).shut_down();
    }
    while !world.report_all() {}
    for (number, expected) in [(0, "hello"), (1, ""), (2, "hello")] {
        assert_eq!(world.script.peer(number).receive(), expected.as_bytes());
        assert!(world.script.peer(number).is_over());
    }
    let said = log::take();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("panicked and was ended: 5 bytes"), "{said:?}");
}

#[test]
fn sleepers_wake_in_the_order_of_their_times() {
    let mut world = World::new();
    let notes = Rc::new(RefCell::new(vec![]));
    let start = net::now();
    for millis in [30, 10, 0, 20, 10] {
        let notes = Rc::clone(&notes);
        world.submit(async move |co| {
            co.yield_(sleep(millis * MILLI)).await;
            notes.borrow_mut().push((millis, net::now() - start));
        });
    }
    // The first wait is one of no time at all; in the third, the poller wakes up early.
    world.decide(&[Decision::TimeOut, Decision::TimeOut, Decision::Pass(9 * MILLI)]);
    let expected = [0, 10, 10].map(|millis| (millis, millis * MILLI));
    assert_eq!(notes.take(), expected);
    assert!(world.decide(&[Decision::Pass(15 * MILLI)]), "it wakes up late");
    assert_eq!(notes.take(), [(20, 34 * MILLI), (30, 34 * MILLI)]);
}

/// The most results that were sent into tasks between two looks at the sockets.
fn most_in_a_row(world: World) -> usize {
    let lines = world.recorded();
    let looks = lines.split(|line| line.contains(r#""e":"enter""#));
    let resumed = |line: &&String| line.contains(r#""e":"resume""#);
    looks.map(|steps| steps.iter().filter(resumed).count()).max().unwrap()
}

/// A task whose events happen at once must not keep the others out.
#[test]
fn a_busy_task_does_not_starve_the_others() {
    let mut world = World::new();
    world.script.send_first();
    let (busy, other) = (world.script.socket(), world.script.socket());
    world.submit(async move |co| {
        loop {
            co.yield_(busy.send(b"x")).await.unwrap(); // there is room
        }
    });
    world.submit(async move |co| echo(co, other).await);
    world.script.peer(1).send(b"hello");
    world.script.decide(&[readable(4), Decision::TimeOut]);
    world.scheduler.run().unwrap_err();
    assert_eq!(world.script.peer(1).receive(), b"hello");
    assert_eq!(most_in_a_row(world), 64);
}

/// A batch that is larger is taken as a whole, but no more than that.
#[test]
fn a_large_batch_is_taken_as_a_whole() {
    let mut world = World::new();
    let handle = world.scheduler.handle();
    for _ in 0..200 {
        let handle = handle.clone();
        world.submit(async move |_| handle.submit_task(Coroutine::new(async |_: Co| {})));
    }
    assert!(world.decide(&[]));
    drop(handle);
    assert_eq!(most_in_a_row(world), 200);
}

/// A second of the scheduler's time, and no longer. What has arrived meanwhile is discarded: if it
/// were left unread, that would destroy what is still on its way to the peer.
#[test]
fn close_waits_a_second_for_a_peer_that_says_no_more() {
    let mut world = World::new();
    let socket = world.script.socket();
    let peer = world.script.peer(0);
    let start = net::now();
    world.submit(async move |co| {
        co.yield_(socket.send(b"owed")).await.unwrap();
        co.yield_(socket.close()).await;
    });
    peer.send(&[1; 100_000]);
    world.decide(&[writable(3)]);
    assert!(peer.is_over(), "it is told that this is all");
    world.decide(&[readable(3), readable(3), Decision::Pass(CLOSE_PATIENCE - MILLI)]);
    assert_eq!(world.script.watched(), [(3, Read)], "it is still waited for");
    assert!(world.decide(&[Decision::TimeOut]));
    assert_eq!(net::now() - start, Duration::from_secs(1));
    assert_eq!(peer.receive(), b"owed");
    assert!(has_ended_well(&peer));
    assert_eq!(world.script.watched(), []);
}

/// Nor for one that goes on sending for ever.
#[test]
fn close_gives_up_on_a_peer_that_never_ends() {
    let mut world = World::new();
    let socket = world.script.socket();
    let start = net::now();
    world.submit(async move |co| co.yield_(socket.close()).await);
    let more = [Decision::Send(0, vec![1; 10]), readable(3), Decision::Pass(10 * MILLI)];
    while !world.decide(&more) {
        assert!(net::now() - start <= CLOSE_PATIENCE + 10 * MILLI);
    }
    assert!(net::now() - start >= CLOSE_PATIENCE);
}

#[test]
fn close_waits_for_the_peer_and_no_longer() {
    let mut world = World::new();
    let socket = world.script.socket();
    let start = net::now();
    world.submit(async move |co| co.yield_(socket.close()).await);
    for _ in 0..10 {
        // Nothing to discard yet is not the end.
        assert!(!world.decide(&[readable(3)]));
    }
    let ends = [Decision::Pass(300 * MILLI), Decision::ShutDown(0), readable(3)];
    assert!(world.decide(&ends));
    assert_eq!(net::now() - start, 300 * MILLI);
    assert!(has_ended_well(&world.script.peer(0)));
}

#[test]
fn close_is_at_once_if_the_peer_has_ended() {
    let mut world = World::new();
    let socket = world.script.socket();
    world.script.peer(0).shut_down();
    world.submit(async move |co| {
        assert_eq!(co.yield_(socket.recv()).await.unwrap(), b"");
        co.yield_(socket.close()).await;
    });
    assert!(world.decide(&[readable(3)]));
    assert!(has_ended_well(&world.script.peer(0)));
}

/// A deadline that was not needed must not hit the event that waits next for that number, though it
/// be one of the same task.
#[test]
fn a_deadline_is_forgotten_when_the_connection_is_closed() {
    let mut world = World::new();
    let (one, script) = (world.script.socket(), world.script.clone());
    world.submit(async move |co| {
        co.yield_(one.close()).await;
        let two = script.socket();
        assert_eq!(two.as_raw_fd(), 3);
        assert_eq!(co.yield_(two.recv()).await.unwrap(), b"late");
        co.yield_(two.close()).await;
    });
    world.script.peer(0).shut_down();
    world.decide(&[readable(3), Decision::TimeOut, Decision::TimeOut]);
    world.script.peer(1).send(b"late");
    assert!(!world.decide(&[readable(3), Decision::Pass(CLOSE_PATIENCE - MILLI)]));
    assert!(world.decide(&[Decision::TimeOut]), "the other has a deadline of its own");
}

/// The same, when two connections of one number are closed within one second.
#[test]
fn each_close_has_its_own_second() {
    let mut world = World::new();
    let (one, script) = (world.script.socket(), world.script.clone());
    world.submit(async move |co| {
        co.yield_(one.close()).await;
        let two = script.socket();
        assert_eq!(two.as_raw_fd(), 3);
        co.yield_(two.close()).await;
    });
    let start = net::now();
    world.decide(&[Decision::Pass(400 * MILLI), Decision::ShutDown(0), readable(3)]);
    assert!(!world.decide(&[Decision::TimeOut]));
    assert_eq!(net::now() - start, CLOSE_PATIENCE);
    assert!(world.decide(&[Decision::TimeOut]));
    assert_eq!(net::now() - start, 1400 * MILLI);
}

/// The close is refused because another task waits there. That one must not be hit either.
#[test]
fn a_deadline_is_forgotten_when_the_close_is_refused() {
    let mut world = World::new();
    let socket = world.script.socket();
    let reading = socket.clone();
    world.submit(async move |co| {
        assert_eq!(co.yield_(reading.recv()).await.unwrap(), b"late");
    });
    world.submit(async move |co| co.yield_(socket.close()).await);
    world.decide(&[Decision::Pass(2 * CLOSE_PATIENCE)]);
    world.script.peer(0).send(b"late");
    assert!(world.decide(&[readable(3)]));
}

#[test]
fn a_stop_is_over_after_four_seconds() {
    let mut world = World::new();
    let stuck = world.script.socket();
    world.script.peer(0).room(0);
    world.submit(async move |co| {
        let _ = co.yield_(stuck.send(b"no room")).await;
    });
    let start = net::now();
    world.decide(&[Decision::Pass(Duration::from_secs(60))]);
    world.scheduler.handle().stop();
    assert!(world.decide(&[Decision::Pass(MILLI), Decision::TimeOut]));
    assert_eq!(net::now() - start, Duration::from_secs(64));
}

/// Nothing of the tasks stays behind, wherever they are.
#[test]
fn a_stop_leaves_no_task_behind() {
    let mut world = World::new();
    let (stuck, deaf, late) =
        (world.script.socket(), world.script.socket(), world.script.socket());
    let owned = Rc::new(());
    let alive = Rc::downgrade(&owned);
    let own = Rc::clone(&owned);
    world.submit(async move |co| {
        co.yield_(sleep(Duration::MAX)).await;
        drop(own);
    });
    let own = Rc::clone(&owned);
    world.script.peer(0).room(0);
    world.submit(async move |co| {
        let _ = co.yield_(stuck.send(b"no room")).await;
        drop(own);
    });
    let own = Rc::clone(&owned);
    world.submit(async move |co| {
        co.yield_(sleep(STOP_GRACE - MILLI)).await;
        co.yield_(late.close()).await;
        drop(own);
    });
    world.submit(async move |co| {
        // It does not understand the end of input.
        co.yield_(sleep(STOP_GRACE - MILLI)).await;
        while co.yield_(deaf.recv()).await.is_ok() {}
        drop(owned);
    });
    let start = net::now();
    world.scheduler.handle().stop();
    world.script.decide(&[Decision::TimeOut, Decision::TimeOut]);
    world.scheduler.run().unwrap_err(); // from now on the deaf one is busy
    assert_eq!(net::now() - start, STOP_GRACE - MILLI);
    assert!(world.decide(&[Decision::Pass(MILLI)]));
    assert!(alive.upgrade().is_none(), "its tasks are dropped");
    assert!(world.script.peer(0).is_over(), "and their sockets closed");
    let recorded = world.recorded();
    let ended = recorded.iter().filter(|line| line.contains(r#""e":"finish""#));
    assert_eq!(ended.count(), 4, "and the recording says so");
}

/// It is about something new that a task must not wait. A close is not.
#[test]
fn a_stop_leaves_a_close_its_time() {
    let mut world = World::new();
    let (listener, closing) = (world.script.socket(), world.script.socket());
    let handle = world.scheduler.handle();
    let told = Rc::new(Cell::new(0));
    let telling = Rc::clone(&told);
    world.submit(async move |co| {
        for _ in 0..2 {
            let error = co.yield_(listener.accept()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            telling.set(telling.get() + 1);
        }
    });
    world.submit(async move |co| co.yield_(closing.close()).await);
    world.decide(&[]);
    handle.stop();
    let start = net::now();
    world.decide(&[readable(4)]);
    assert_eq!(told.get(), 2);
    assert!(world.decide(&[Decision::TimeOut]));
    assert_eq!(net::now() - start, CLOSE_PATIENCE);
}

#[test]
fn a_failure_stops_and_becomes_the_result() {
    let mut world = World::new();
    let socket = world.script.socket();
    world.script.peer(0).shut_down();
    world.submit(async move |co| echo(co, socket).await);
    world.scheduler.handle().fail(io::Error::other("broken"));
    assert_eq!(world.run().unwrap_err().to_string(), "broken");
    assert!(has_ended_well(&world.script.peer(0)));
}

/// A poller that cannot go on ends the run, with all tasks where they are. When the scheduler goes,
/// so do they.
#[test]
fn a_scheduler_takes_its_tasks_with_it() {
    let mut world = World::new();
    let waits = world.script.socket();
    world.submit(async move |co| echo(co, waits).await);
    assert!(!world.decide(&[]));
    let (never_ran, handle) = (world.script.socket(), world.scheduler.handle());
    world.submit(async move |co| {
        let _handle = handle; // shares the queue, which owns this task
        echo(co, never_ran).await;
    });
    let peers = [0, 1].map(|number| world.script.peer(number));
    assert!(!peers.iter().any(Peer::is_over));
    drop(world);
    assert!(peers.iter().all(Peer::is_over));
}

#[test]
fn a_descriptor_that_the_poller_refuses_is_an_error_for_its_task() {
    #[derive(Default)]
    struct Refuses {
        waits: u32,
    }
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
            self.waits += 1;
            assert!(self.waits < 1000, "the task ends after one wait");
            Ok(())
        }
    }
    let (socket, peer) = net::pair();
    let text = Text::default();
    let recording = Recording::new("a test", ("", ""), text.clone());
    let mut scheduler = Scheduler::new(Refuses::default(), Some(Box::new(recording)));
    let reached = Rc::new(Cell::new(false));
    let reaching = Rc::clone(&reached);
    scheduler.submit_task(Coroutine::new(async move |co: Co| {
        let received = co.yield_(socket.recv()).await;
        assert_eq!(received.unwrap_err().to_string(), "refused");
        let sent = co.yield_(socket.send(b"x")).await;
        assert_eq!(sent.unwrap_err().to_string(), "refused");
        co.yield_(socket.close()).await;
        co.yield_(sleep(Duration::ZERO)).await; // now the poller waits
        reaching.set(true);
    }));
    scheduler.run().unwrap();
    assert!(reached.get());
    assert!(peer.is_over());
    drop(scheduler);
    let told = r#""e":"enter","call":"none","timeout":0}"#;
    assert!(text.take().contains(told), "its call names no descriptors");
}

/// That of its source, be it written by hand or by the compiler.
#[test]
fn a_task_has_a_name() {
    struct ByHand;
    impl Task for ByHand {
        fn send(&mut self, _: Data) -> Resumed {
            Resumed::Finished
        }
    }
    let mut world = World::new();
    world.submit(async |_| {});
    world.scheduler.submit_task(ByHand);
    let in_a_box: Box<dyn Task> = Box::new(ByHand);
    world.scheduler.submit_task(in_a_box);
    assert!(world.decide(&[]));
    let lines = world.recorded();
    let name = |line: &String| line.split(r#""name":"#).nth(1).map(str::to_string);
    let names: Vec<_> = lines.iter().filter_map(name).collect();
    assert_eq!(names, [r#""a_task_has_a_name"}"#, r#""ByHand"}"#, r#""ByHand"}"#]);
}
