//! The server of stage 04, one decision at a time.

use std::time::Duration;

use bricks_in_memory::cli::Options;
use bricks_in_memory::log;
use bricks_in_memory::net::Direction::{Read, Write};
use bricks_in_memory::net::{self, Peer};
use bricks_in_memory::poller::Decision;
use bricks_in_memory::scheduler::lines::MAX_LINE;
use bricks_in_memory::tasks::{echo_server, stop_on_signal};

use crate::{World, has_ended_well, readable, writable};

/// The smallest numbers that are free, in the order in which they are taken.
const LISTENER: i32 = 3;
const SIGNALS: i32 = 4;
const FIRST: i32 = 5;
const SECOND: i32 = 6;

/// The world with the server in it, and with nothing before it but its first wait.
fn server(options: Options) -> World {
    let mut world = World::new();
    let (sock, signals) = (world.script.socket(), world.script.socket());
    let handle = world.scheduler.handle();
    world.scheduler.submit_task(echo_server(sock, handle.clone(), options));
    world.scheduler.submit_task(stop_on_signal(signals, handle));
    assert!(!world.decide(&[]));
    assert_eq!(world.script.watched(), [(LISTENER, Read), (SIGNALS, Read)]);
    world
}

impl World {
    fn port(&self) -> Peer {
        self.script.peer(0)
    }

    /// A client that has been accepted.
    fn client(&mut self) -> Peer {
        let client = self.port().connect();
        self.decide(&[readable(LISTENER)]);
        client
    }

    fn stop(&mut self) -> bool {
        self.script.peer(1).send(b"x");
        self.decide(&[readable(SIGNALS)])
    }
}

#[test]
fn an_echo_carried_by_hand() {
    let mut world = server(Options::default());
    let client = world.port().connect();
    assert_eq!(world.script.watched(), [(LISTENER, Read), (SIGNALS, Read)]);

    world.decide(&[readable(LISTENER)]);
    assert_eq!(
        world.script.watched(),
        [(LISTENER, Read), (SIGNALS, Read), (FIRST, Read)]
    );
    client.send(b"hello");
    world.decide(&[readable(FIRST)]);
    assert_eq!(client.receive(), b"", "nobody has said that there is room");
    assert_eq!(
        world.script.watched(),
        [(LISTENER, Read), (SIGNALS, Read), (FIRST, Write)],
        "a task waits in one place"
    );
    world.decide(&[writable(FIRST)]);
    assert_eq!(client.receive(), b"hello");

    client.shut_down();
    world.decide(&[readable(FIRST)]);
    assert!(has_ended_well(&client));
    assert_eq!(world.script.watched(), [(LISTENER, Read), (SIGNALS, Read)]);
    assert_eq!(
        log::take(),
        ["Connection from: 127.0.0.1:50001", "Client: 127.0.0.1:50001 disconnected"]
    );
    assert!(world.stop());
    assert!(world.port().connect().is_reset(), "the listening socket is closed");
}

/// A poller may say that something is ready when it is not, and name what no task waits for.
#[test]
fn a_lie_parks_the_event_again() {
    let mut world = server(Options::default());
    world.decide(&[readable(LISTENER), writable(LISTENER), readable(77)]);
    let client = world.client();
    for _ in 0..3 {
        world.decide(&[readable(FIRST)]);
        assert!(world.script.watched().contains(&(FIRST, Read)));
    }
    client.room(0);
    client.send(b"hello");
    world.decide(&[readable(FIRST)]);
    for _ in 0..3 {
        world.decide(&[writable(FIRST), readable(FIRST)]);
        assert!(world.script.watched().contains(&(FIRST, Write)));
    }
    client.room(100);
    world.decide(&[writable(FIRST)]);
    assert_eq!(client.receive(), b"hello");
    assert_eq!(log::take(), ["Connection from: 127.0.0.1:50001"]);
}

#[test]
fn a_send_in_three_pieces() {
    let mut world = server(Options::default());
    let client = world.client();
    client.room(4);
    client.send(b"0123456789");
    client.shut_down();
    world.decide(&[readable(FIRST)]);
    for piece in ["0123", "4567", "89"] {
        assert!(!world.script.watched().contains(&(FIRST, Read)), "it sends first");
        world.decide(&[writable(FIRST)]);
        assert_eq!(client.receive(), piece.as_bytes());
    }
    world.decide(&[readable(FIRST)]);
    assert!(has_ended_well(&client));
}

/// Its server waits with it for room, and nothing is taken in meanwhile; the other goes on.
#[test]
fn a_client_that_never_reads_delays_no_other() {
    let mut world = server(Options::default());
    let (stuck, other) = (world.client(), world.client());
    stuck.room(10);
    stuck.send(&[7; 100]);
    world.decide(&[readable(FIRST), writable(FIRST)]);
    stuck.send(&[7; 100]);
    world.decide(&[readable(FIRST), writable(FIRST)]);
    other.send(b"ping");
    world.decide(&[readable(SECOND), writable(SECOND)]);
    assert_eq!(other.receive(), b"ping");
    assert!(!world.script.watched().contains(&(FIRST, Read)));
    assert_eq!(stuck.receive(), [7; 10]);
}

/// The first client that resets its connection ended the original scheduler.
#[test]
fn a_reset_ends_the_connection_of_one_client() {
    let mut world = server(Options::default());
    let (gone, waits) = (world.client(), world.client());
    gone.reset();
    world.decide(&[readable(FIRST)]);
    let problems = log::take();
    assert!(problems[2].contains("127.0.0.1:50001: Connection reset"), "{problems:?}");
    assert_eq!(problems[3], "Client: 127.0.0.1:50001 disconnected");
    waits.send(b"hello");
    world.decide(&[readable(SECOND), writable(SECOND)]);
    assert_eq!(waits.receive(), b"hello");
    // And its number is given to the next.
    let next = world.client();
    next.send(b"next");
    world.decide(&[readable(FIRST), writable(FIRST)]);
    assert_eq!(next.receive(), b"next");
}

#[test]
fn a_reset_in_the_middle_of_a_send() {
    let mut world = server(Options::default());
    let client = world.client();
    client.room(1);
    client.send(b"hello");
    world.decide(&[readable(FIRST), writable(FIRST)]);
    client.reset();
    world.decide(&[writable(FIRST)]);
    assert_eq!(world.script.watched(), [(LISTENER, Read), (SIGNALS, Read)]);
    assert_eq!(log::take().len(), 3);
}

/// The client that could not be accepted keeps the listening socket ready: to try again at once
/// would be a busy loop.
#[test]
fn an_accept_without_a_descriptor_is_tried_again_after_100_ms() {
    let mut world = server(Options::default());
    let inside = world.client();
    let client = world.port().connect();
    let start = net::now();
    for pauses in 1..=3 {
        world.port().fail(libc::EMFILE);
        world.decide(&[readable(LISTENER)]);
        assert!(!world.script.watched().contains(&(LISTENER, Read)), "a pause");
        inside.send(b"meanwhile");
        world.decide(&[readable(FIRST), writable(FIRST)]);
        assert_eq!(inside.receive(), b"meanwhile");
        world.decide(&[Decision::TimeOut]);
        assert_eq!(net::now() - start, pauses * Duration::from_millis(100));
        assert!(world.script.watched().contains(&(LISTENER, Read)));
    }
    client.send(b"hello");
    world.decide(&[readable(LISTENER), readable(SECOND), writable(SECOND)]);
    assert_eq!(client.receive(), b"hello");
    let said = log::take();
    let told = said.iter().filter(|line| line.starts_with("cannot accept for now"));
    assert_eq!(told.count(), 1, "{said:?}");
}

/// The next may be accepted at once. An error that does not end is no busy loop either.
#[test]
fn a_client_that_is_lost_before_it_is_accepted() {
    let mut world = server(Options::default());
    for _ in 0..16 {
        world.port().fail(libc::ECONNABORTED);
        world.decide(&[readable(LISTENER), Decision::TimeOut]);
        assert!(world.script.watched().contains(&(LISTENER, Read)), "no pause");
    }
    world.port().fail(libc::ECONNABORTED);
    let start = net::now();
    world.decide(&[readable(LISTENER)]);
    assert!(!world.script.watched().contains(&(LISTENER, Read)), "a pause");
    world.decide(&[Decision::TimeOut]);
    assert_eq!(net::now() - start, Duration::from_millis(100));
    assert!(!world.client().is_reset());
}

#[test]
fn a_listening_socket_that_is_broken_ends_the_server() {
    let mut world = server(Options::default());
    let client = world.client();
    world.port().fail(libc::EBADF);
    world.script.decide(&[readable(LISTENER)]);
    assert!(!world.run().unwrap(), "its client is told, and waited for");
    assert!(client.is_over());
    client.shut_down();
    world.script.decide(&[readable(FIRST)]);
    let error = world.run().unwrap_err().to_string();
    assert!(error.starts_with("cannot accept clients any more"), "{error}");
}

#[test]
fn lines_and_pieces_of_lines() {
    let mut world = server(Options { lines: true, ..Options::default() });
    let client = world.client();
    let mut answer = |piece: &[u8]| {
        client.send(piece);
        for _ in 0..4 {
            world.report_all();
        }
        String::from_utf8(client.receive()).unwrap()
    };
    assert_eq!(answer(b"one\n"), "Get: one\n");
    assert_eq!(answer(b"tw"), "");
    assert_eq!(answer(b"o\nthree\n\nfo"), "Get: two\nGet: three\nGet: \n");
    client.shut_down();
    assert_eq!(answer(b""), "Get: fo");
    assert!(has_ended_well(&client));
}

/// The answers before it arrive, and the connection ends in an orderly way.
#[test]
fn a_line_that_is_too_long() {
    let mut world = server(Options { lines: true, ..Options::default() });
    let client = world.client();
    client.send(b"first\n");
    client.send(&vec![b'x'; MAX_LINE + 1]);
    for _ in 0..100 {
        world.report_all();
    }
    assert_eq!(client.receive(), b"Get: first\n");
    assert!(has_ended_well(&client));
    client.shut_down();
    world.report_all();
    let said = log::take();
    assert!(said[1].contains("refused a line"), "{said:?}");
    assert!(said[2].contains("disconnected"), "{said:?}");
}

/// What the clients have sent by then is echoed, though the poller has not reported it; then they
/// are told the end. The server waits for each to take what it is owed.
#[test]
fn a_stop_loses_nothing_that_the_kernel_holds() {
    let mut world = server(Options::default());
    let (idle, owed, sending) = (world.client(), world.client(), world.client());
    sending.room(3);
    sending.send(b"is being sent");
    world.decide(&[readable(7), writable(7)]);
    sending.send(b", and this too");
    owed.send(b"not reported");
    let unaccepted = world.port().connect();
    assert!(!world.stop());
    assert!(idle.is_over());
    assert!(unaccepted.is_reset(), "the listening socket is closed");
    let mut received = vec![];
    for _ in 0..20 {
        received.extend(sending.receive());
        world.report_all();
    }
    assert_eq!(received, b"is being sent, and this too");
    assert_eq!(owed.receive(), b"not reported");
    for client in [&idle, &owed, &sending] {
        assert!(has_ended_well(client));
        client.shut_down();
    }
    assert!(world.report_all(), "all have finished");
}

/// A client that keeps sending is heard for a second.
#[test]
fn a_stop_does_not_receive_for_ever() {
    let mut world = server(Options::default());
    let client = world.client();
    client.send(b"more");
    world.stop();
    let (start, step) = (net::now(), Duration::from_millis(10));
    while !client.is_over() {
        client.send(b"more");
        client.receive();
        world.decide(&[writable(FIRST), Decision::Pass(step)]);
    }
    let heard = net::now() - start;
    let promised = Duration::from_secs(1)..=Duration::from_secs(1) + step;
    assert!(promised.contains(&heard), "{heard:?}");
}
