//! By hand: a task that is written so, one that is driven so, and events without a driver.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bricks::buffer::{Buffers, RECEIVE_SIZE};
use bricks::event::{Data, Event, Happened};
use bricks::lines::{Lines, read_line};
use bricks::log::Log;
use bricks::net::Socket;
use bricks::poller::Select;
use bricks::ready::Handle;
use bricks::scheduler::Scheduler;
use bricks::task::{Co, Coroutine, Resumed, Task};

use crate::support::drivers::{echo, listener, pair};
use crate::support::scripted::Recorder;

#[path = "../../examples/by_hand.rs"]
#[expect(dead_code, reason = "an example has a main function")]
mod example;

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
            client.shutdown(Shutdown::Write).unwrap();
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
        record(|sock, handle| Box::new(example::EchoServer::new(sock, handle, log)));
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
