//! The check of the exercise: the poller alone, and below the scheduler.

#[allow(unused, reason = "it is not finished yet")]
mod exercise;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bricks::net::Socket;
use bricks::poller::Direction::{Read as R, Write as W};
use bricks::poller::{Direction, Poller};
use bricks::task::{Co, Coroutine};
use exercise::Poll;
use exercises::{PATIENCE, in_time, schedule};

fn pair() -> (UnixStream, Socket) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    (ours, Socket::new(theirs).expect("a socket"))
}

/// What is ready now.
fn ready(poll: &mut Poll) -> Vec<Direction> {
    let mut ready = vec![];
    poll.wait(Some(Duration::ZERO), |(_, it)| ready.push(it)).expect("poll works");
    ready
}

fn watch(poll: &mut Poll, socket: &Socket, direction: Direction) {
    poll.watch(socket, direction).expect("poll can watch any descriptor");
}

#[test]
fn something_to_read() {
    let (mut ours, socket) = pair();
    let mut poll = Poll::default();
    watch(&mut poll, &socket, R);
    assert_eq!(ready(&mut poll), [], "ready before anything has been sent");
    ours.write_all(b"x").expect("there is room");
    let mut list = vec![];
    poll.wait(Some(PATIENCE), |it| list.push(it)).expect("poll works");
    assert_eq!(list, [(socket.as_raw_fd(), R)], "ready after a byte has been sent");
}

#[test]
fn only_what_was_asked_for() {
    let (mut ours, socket) = pair();
    ours.write_all(b"x").expect("there is room");
    let mut poll = Poll::default();
    watch(&mut poll, &socket, W);
    assert_eq!(ready(&mut poll), [W], "there is room, and input that nobody waits for");
}

#[test]
fn one_descriptor_two_directions() {
    let (mut ours, socket) = pair();
    ours.write_all(b"x").expect("there is room");
    let mut poll = Poll::default();
    watch(&mut poll, &socket, R);
    watch(&mut poll, &socket, W);
    let mut both = ready(&mut poll);
    both.sort();
    assert_eq!(both, [R, W], "one task waits to read, another one to write");
    poll.unwatch(socket.as_raw_fd(), W);
    assert_eq!(
        ready(&mut poll),
        [R],
        "the writer waits no more; the reader of the same descriptor still does"
    );
    poll.unwatch(socket.as_raw_fd(), R);
    assert_eq!(ready(&mut poll), [], "nobody waits any more");
}

#[test]
fn the_other_end_hangs_up() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let reader = Socket::new(reader).expect("a descriptor");
    let mut poll = Poll::default();
    watch(&mut poll, &reader, R);
    drop(writer);
    assert_eq!(
        ready(&mut poll),
        [R],
        "whoever could have written has gone, and `poll` reports that as POLLHUP, not POLLIN: a \
         reader that is not told waits for ever"
    );
}

#[test]
fn an_error_reaches_the_writer() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let socket = Socket::new(writer.try_clone().expect("a descriptor")).expect("a pipe");
    while writer.write(&[0; 4096]).is_ok() {} // it is non-blocking now: until it is full
    let mut poll = Poll::default();
    watch(&mut poll, &socket, W);
    assert_eq!(ready(&mut poll), [], "the pipe is full");
    drop(reader);
    assert_eq!(
        ready(&mut poll),
        [W],
        "nobody will ever read from this pipe, and `poll` reports that as POLLERR: a writer that \
         is not told waits for ever"
    );
}

#[test]
fn who_waits_no_more_wakes_nobody() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let reader = Socket::new(reader).expect("a descriptor");
    let mut poll = Poll::default();
    watch(&mut poll, &reader, R);
    poll.unwatch(reader.as_raw_fd(), R);
    drop(writer);
    let (start, timeout) = (Instant::now(), Duration::from_millis(50));
    poll.wait(Some(timeout), |_| ()).expect("poll works");
    assert!(
        start.elapsed() >= timeout,
        "nobody waits for this pipe any more, and it has ended: `wait` was to sleep for 50 ms and \
         came back at once. `poll` reports POLLHUP for every entry, also for one without bits: \
         in a loop that is a busy one"
    );
}

#[test]
fn a_time_out_ends_the_wait() {
    in_time("`wait` was given a time-out of 10 ms, and sleeps on", || {
        let (_ours, socket) = pair();
        let mut poll = Poll::default();
        watch(&mut poll, &socket, R);
        let mut ready = vec![];
        let wait = Some(Duration::from_millis(10));
        poll.wait(wait, |it| ready.push(it)).expect("poll works");
        assert_eq!(ready, [], "ready after 10 ms without a byte");
    });
}

#[test]
fn below_the_scheduler() {
    let (mut streams, sockets): (Vec<_>, Vec<_>) =
        (0..20).map(|_| UnixStream::pair().expect("a pair of sockets")).unzip();
    let server = schedule::<Poll>(move |scheduler| {
        for socket in sockets {
            let client = Socket::new(socket).expect("a socket");
            scheduler.submit_task(Coroutine::new(async move |co: Co| {
                while let Ok(bytes) = co.yield_(client.recv()).await {
                    if bytes.is_empty() || co.yield_(client.send(bytes)).await.is_err() {
                        break;
                    }
                }
            }));
        }
    });
    for stream in &mut streams {
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.write_all(b"hello").expect("there is room");
    }
    for stream in &mut streams {
        let mut echo = String::new();
        stream.shutdown(Shutdown::Write).expect("it is connected");
        let read = stream.read_to_string(&mut echo);
        assert!(
            read.is_ok() && echo == "hello",
            "an echo of \"hello\": {echo:?}, {read:?}"
        );
    }
    server
        .end("the clients have gone, and the server has not noticed")
        .expect("poll works");
}
