//! The check of the exercise: the poller alone, and below the scheduler.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_05_poll, path = "../my/05_poll.rs")]
#[rustfmt::skip]
mod exercise;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bricks::net::Direction::{Read as R, Write as W};
use bricks::net::{Direction, Socket};
use bricks::scheduler::poller::Poller;
use bricks::scheduler::task::{Co, Coroutine};
use exercise::Poll;
use exercises::{PATIENCE, in_time, schedule};

fn pair() -> (UnixStream, Socket) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    (ours, Socket::new(theirs).expect("a socket"))
}

/// What is ready now.
fn ready(poll: &mut Poll) -> Vec<Direction> {
    let mut ready = vec![];
    let result = poll.wait(Some(Duration::ZERO), &mut ready);
    result.unwrap_or_else(|error| panic!("`wait` failed: {error}"));
    ready.into_iter().map(|(_, direction)| direction).collect()
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
    poll.wait(Some(PATIENCE), &mut list).expect("poll works");
    assert_eq!(list, [(socket.as_raw_fd(), R)], "ready after a byte has been sent");
}

#[test]
fn what_is_in_the_list_stays() {
    let (mut ours, socket) = pair();
    ours.write_all(b"x").expect("there is room");
    let mut poll = Poll::default();
    watch(&mut poll, &socket, R);
    let mut list = vec![(99, W)];
    poll.wait(Some(PATIENCE), &mut list).expect("poll works");
    assert_eq!(
        list,
        [(99, W), (socket.as_raw_fd(), R)],
        "the list that `wait` was given had something in it: that is its caller's, and `wait` adds \
         what is ready now"
    );
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
    watch(&mut poll, &socket, R);
    watch(&mut poll, &socket, W);
    poll.unwatch(socket.as_raw_fd(), W);
    assert_eq!(
        ready(&mut poll),
        [R],
        "the writer waits no more; the reader of the same descriptor still does"
    );
    watch(&mut poll, &socket, R);
    poll.unwatch(socket.as_raw_fd(), R);
    assert_eq!(ready(&mut poll), [], "nobody waits any more");
}

#[test]
fn what_is_reported_is_watched_no_more() {
    let (mut ours, socket) = pair();
    let mut poll = Poll::default();
    watch(&mut poll, &socket, R);
    watch(&mut poll, &socket, W);
    assert_eq!(ready(&mut poll), [W], "there is room, and no input yet");
    assert_eq!(
        ready(&mut poll),
        [],
        "the writer has been told that there is room, and has not asked again. `watch` means: \
         report it once. In a loop, a report that nobody wants is a busy one"
    );
    ours.write_all(b"x").expect("there is room");
    assert_eq!(
        ready(&mut poll),
        [R],
        "the writer of this descriptor has been told. Its reader has not: it still waits, and \
         was not told that there is input"
    );
    watch(&mut poll, &socket, R);
    assert_eq!(
        ready(&mut poll),
        [R],
        "the reader has asked again, and has not read the byte"
    );
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
fn who_has_not_asked_is_not_told() {
    let (ours, socket) = pair();
    let mut poll = Poll::default();
    watch(&mut poll, &socket, W);
    drop(ours);
    assert_eq!(
        ready(&mut poll),
        [W],
        "a task waits to write, none waits to read, and the other end has gone. `poll` reports \
         POLLHUP and POLLERR although nobody asked for them: look at `revents`, and compare \
         `events` as well"
    );
}

#[test]
fn an_error_reaches_the_reader() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // Nothing ever comes from this end of a pipe, but who waits for that hears of its other end.
    let socket = Socket::new(writer).expect("a pipe");
    let mut poll = Poll::default();
    watch(&mut poll, &socket, R);
    assert_eq!(ready(&mut poll), [], "the reader of this pipe is still there");
    drop(reader);
    assert_eq!(
        ready(&mut poll),
        [R],
        "the other end has gone, and `poll` reports that as POLLERR alone: a reader that is not \
         told waits for ever. Hanging up and errors concern who reads and who writes"
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
    poll.wait(Some(timeout), &mut vec![]).expect("poll works");
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
        poll.wait(wait, &mut ready).expect("poll works");
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
