//! The driver of stage 07, on socket pairs: what the kernel owns, what becomes of it when a task
//! goes away in the middle, and that tasks cannot tell it from the scheduler.
//!
//! Where there is no `io_uring`, or it is not permitted, these tests say so and pass; with
//! `REQUIRE_IO_URING=1` in the environment they fail instead.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use bricks::limit::raise_descriptor_limit;
use bricks::net::Socket;
use bricks::ring::{Kernel, Ring};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::sleep;
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine};
use bricks::select::Select;
use bricks::trace::Trace;
use proptest::prelude::*;

use support::drivers::{
    Panics, echo, echo_task, hear_all, pair, run_under_valgrind, say_all, tcp_pair,
    watch_the_clock,
};
use support::machine::{io_uring_works, skipped};
use support::scripted::{Recorder, bytes};

/// A ring of tasks that must not panic; none if this system has none.
fn strict() -> Option<Ring> {
    ring(Panics::Fail.trace())
}

fn ring(trace: Option<Box<dyn Trace>>) -> Option<Ring> {
    watch_the_clock();
    io_uring_works().then(|| Ring::new(Kernel::new().unwrap(), trace))
}

/// Sends all of `data` and, at the same time, receives until the end.
fn talk(stream: UnixStream, data: Vec<u8>) -> thread::JoinHandle<(Vec<u8>, Vec<u8>)> {
    thread::spawn(move || {
        let out = stream.try_clone().unwrap();
        let sending = thread::spawn(move || {
            say_all(&out, &data);
            data
        });
        let received = hear_all(stream);
        (sending.join().unwrap(), received)
    })
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
        let (socket, theirs) = pair();
        say_all(&theirs, b"hello");
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
    let Some(mut ring) = ring(recorder.trace()) else { return };
    let (socket, _theirs) = client();
    ring.submit_task(task(socket, ring.handle()));
    ring.run().unwrap();

    let by_scheduler = Recorder::default();
    let mut scheduler = Scheduler::new(Select::default(), by_scheduler.trace());
    let (socket, _theirs) = client();
    scheduler.submit_task(task(socket, scheduler.handle()));
    scheduler.run().unwrap();

    assert!(told(&recorder).len() > 15);
    assert_eq!(told(&recorder), told(&by_scheduler));
}

/// More messages at once than there are buffers: those that find none are tried again.
#[test]
fn more_messages_than_buffers() {
    const CLIENTS: usize = 700;
    let Some(mut ring) = strict() else { return };
    if raise_descriptor_limit().unwrap() < 2 * CLIENTS as u64 + 100 {
        skipped("`ulimit -Hn` is too low");
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
    for (theirs, message) in clients {
        assert!(hear_all(theirs) == message);
    }
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

/// And the others go on.
#[test]
fn what_the_kernel_refuses_is_a_result_for_one_task() {
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
    let (socket, theirs) = pair();
    ring.submit_task(echo_task(socket));
    say_all(&theirs, b"hello");
    ring.run().unwrap();
    assert_eq!(hear_all(theirs), b"hello");
}

#[test]
fn under_valgrind() {
    run_under_valgrind(&[
        "a_task_cannot_tell_it_from_the_scheduler",
        "what_the_kernel_refuses_is_a_result_for_one_task",
        "dropped_in_the_middle_of_transfers",
    ]);
}
