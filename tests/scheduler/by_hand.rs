//! By hand: tasks that are written so, one that is driven so, and an event without a driver.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use bricks::cli::Options;
use bricks::log::Log;
use bricks::net::Socket;
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::{Data, Event, Happened};
use bricks::scheduler::lines::{Lines, read_line};
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine, Resumed, Task};
use bricks::select::Select;
use bricks::space::{RECEIVE_SIZE, Space};

use crate::support::drivers::{listener, pair};
use crate::support::scripted::Recorder;

#[path = "../../examples/by_hand.rs"]
#[expect(dead_code, reason = "an example has a main function")]
mod example;

#[path = "../../src/bin/tasks/mod.rs"]
#[expect(dead_code, reason = "only a recording needs its source")]
mod tasks;

/// A server of two tasks: one accepts clients, one waits for a signal.
type Server = [Box<dyn Task>; 2];

/// The same clients talk to both servers; both do the same, step by step.
#[test]
fn tasks_written_by_hand_cannot_be_told_apart() {
    let by_hand = record(|sock, signals, scheduler| {
        let server = example::EchoServer::new(sock, scheduler.clone(), Log::new(true));
        [Box::new(server), Box::new(example::StopOnSignal::new(signals, scheduler))]
    });
    let by_the_compiler = record(|sock, signals, scheduler| {
        let options = Options {
            listen: sock.local_addr().unwrap(),
            log: Log::new(true),
            lines: false,
            trace: None,
        };
        let server = tasks::echo_server(sock, scheduler.clone(), options);
        [Box::new(server), Box::new(tasks::stop_on_signal(signals, scheduler))]
    });
    assert!(by_hand.iter().flatten().count() > 60, "a real run: {by_hand:#?}");
    assert_eq!(by_hand, by_the_compiler);
}

/// The steps of each task. (In which order `select` reports two clients depends on their
/// descriptors, and so on what the other tests of this process have open.)
fn record(server: impl FnOnce(Socket, Socket, Handle) -> Server) -> Vec<Vec<String>> {
    let (sock, addr) = listener();
    let (signals, signal) = pair();
    let recorder = Recorder::default();
    let mut scheduler = Scheduler::new(Select::default(), recorder.trace());
    for task in server(sock, signals, scheduler.handle()) {
        scheduler.submit_task(task);
    }
    let mut clients: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
    for (client, size) in clients.iter_mut().zip([5, 5000, 0]) {
        client.write_all(&vec![7; size]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    let clients = thread::spawn(move || serve_and_stop(clients, signal));
    scheduler.run().unwrap();
    clients.join().unwrap();
    let steps = |task: usize| {
        let lines = recorder.lines().into_iter();
        let of = |line: &String| line.split(' ').nth(1) == Some(&task.to_string());
        lines.filter(of).collect()
    };
    (1..=5).map(steps).collect()
}

/// When all clients have been served, the server is to stop.
fn serve_and_stop(mut clients: Vec<TcpStream>, mut signal: UnixStream) {
    for client in &mut clients {
        client.read_to_end(&mut vec![]).unwrap();
    }
    signal.write_all(b"x").unwrap();
}

/// What has been searched for the end of a line is not searched again: else this would take
/// hours.
#[test]
fn a_line_in_a_million_pieces() {
    const PIECES: usize = 1_000_000;
    const WATCHDOG: Duration = Duration::from_secs(30);
    let (socket, _theirs) = pair();
    let mut task = Coroutine::new(async move |co: Co| {
        let mut lines = Lines::new(socket);
        let line = read_line(&co, &mut lines).await.unwrap();
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

/// What has been sent is memory to receive into.
#[test]
fn a_send_gives_its_block_back() {
    let (socket, mut theirs) = pair();
    let mut space = Space::default();
    theirs.write_all(&[7; 5000]).unwrap();
    let bytes = socket.try_recv(&mut space).unwrap();
    let block = bytes.as_ptr();
    let sent = Event::from(socket.send(bytes)).happen(&mut space);
    assert!(matches!(sent, Happened::Done(Data::Sent(5000))));
    // Freed memory would be given out again at once: this takes it.
    let _taken = vec![0_u8; RECEIVE_SIZE];
    theirs.write_all(&[7; 5000]).unwrap();
    let again = socket.try_recv(&mut space).unwrap();
    assert_eq!(again.as_ptr(), block);
}
