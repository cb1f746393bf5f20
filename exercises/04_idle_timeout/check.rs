//! The check of the exercise: clients that talk, and one that does not.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_idle_timeout, path = "../my/04_idle_timeout.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::{Data, Event};
use bricks::scheduler::poller::Poller;
use bricks::scheduler::task::{Resumed, Task};
use bricks::select::Select;
use exercise::{Activity, client_handler, watchman};
use exercises::{PATIENCE, Work, schedule};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_read_timeout(Some(PATIENCE)).expect("not zero");
    (ours, theirs)
}

/// A client that has been idle for this long.
fn idle(duration: Duration) -> Rc<Activity> {
    let last =
        Instant::now().checked_sub(duration).expect("the machine is not that young");
    Rc::new(Activity { last: Cell::new(last), over: Cell::new(false) })
}

/// A server with one client, which may be idle for so long.
fn server(limit: Duration) -> (UnixStream, Work<io::Result<()>>) {
    let (ours, theirs) = pair();
    let server = schedule::<Select>(move |scheduler| {
        let client = Socket::new(theirs).expect("a socket");
        let handler = client_handler(client, scheduler.handle(), limit);
        scheduler.submit_task(handler);
    });
    (ours, server)
}

#[test]
fn an_echo() {
    let (mut client, _server) = server(LONG);
    client.write_all(b"hello").expect("there is room");
    let mut echo = [0; 5];
    client.read_exact(&mut echo).expect("the server echoes what it receives");
    assert_eq!(&echo, b"hello", "the echo");
}

#[test]
fn a_silent_client_is_sent_away() {
    let (mut client, server) = server(SHORT);
    let end = client.read(&mut [0]);
    assert!(
        matches!(end, Ok(0)),
        "the client said nothing for 3 s, with a limit of 50 ms, and is still connected: {end:?}"
    );
    server
        .end("the connection is over, and a task has not finished")
        .expect("select works");
}

/// The watchman of a client that is looked at by hand.
struct Watched {
    ours: UnixStream,
    activity: Rc<Activity>,
    task: Box<dyn Task>,
}

impl Watched {
    fn new(idle_for: Duration) -> Watched {
        let (ours, theirs) = pair();
        ours.set_nonblocking(true).expect("a socket");
        let client = Socket::new(theirs).expect("a socket");
        let activity = idle(idle_for);
        let task = Box::new(watchman(client, Rc::clone(&activity), LONG));
        Watched { ours, activity, task }
    }

    /// Whether it sleeps on.
    fn sleeps(&mut self, data: Data) -> bool {
        match self.task.send(data) {
            Resumed::Yielded(Event::Sleep(_), _) => true,
            Resumed::Finished => false,
            other => panic!("a watchman sleeps, or finishes: not {other:?}"),
        }
    }

    fn is_connected(&mut self) -> bool {
        let read = self.ours.read(&mut [0]);
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

#[test]
fn a_client_that_talks_may_stay() {
    let mut watched = Watched::new(Duration::ZERO);
    let mut data = Data::Start;
    for look in 1..=3 {
        let sleeps = watched.sleeps(data);
        assert!(
            watched.is_connected() && sleeps,
            "at look {look}, the client had said something a moment ago, and was sent away. \
             Does the limit count from the beginning, or from the last word?"
        );
        watched.activity.last.set(Instant::now());
        data = Data::Slept;
    }
}

/// A poller that never waits: it notes how long it would have had to, and ends the scheduler.
#[derive(Default)]
struct Ends(Rc<Cell<Option<Duration>>>);

impl Poller for Ends {
    fn call(&self) -> &'static str {
        "none"
    }

    fn watch(&mut self, _: &Socket, _: Direction) -> io::Result<()> {
        Ok(())
    }

    fn unwatch(&mut self, _: RawFd, _: Direction) {}

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        _: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        self.0.set(timeout);
        Err(io::Error::other("a task waits"))
    }
}

/// Whether a client that came some time ago, and says something now, is idle when its watchman
/// looks. Its handler is driven by hand; the scheduler has only the watchman.
fn is_idle(limit: Duration) -> bool {
    let mut scheduler = Scheduler::new(Ends::default(), None);
    let client = Socket::new(pair().1).expect("a socket");
    let mut handler = client_handler(client, scheduler.handle(), limit);
    handler.send(Data::Start);
    std::thread::sleep(limit);
    handler.send(Data::Received(b"hello".to_vec()));
    scheduler.run().is_ok() // the watchman does not sleep on
}

#[test]
fn who_talks_is_not_idle() {
    // A machine that stops for so long, at the wrong moment, is idle itself.
    let limits = [50, 400, 1500].map(Duration::from_millis);
    assert!(
        limits.into_iter().any(|limit| !is_idle(limit)),
        "a client that had been connected for the whole limit said something, and was sent away \
         a moment later: how does the watchman hear of what was received?"
    );
}

#[test]
fn it_does_not_look_for_nothing() {
    let (_ours, theirs) = pair();
    let slept = Rc::new(Cell::new(None));
    let mut scheduler = Scheduler::new(Ends(Rc::clone(&slept)), None);
    let client = Socket::new(theirs).expect("a socket");
    scheduler.submit_task(watchman(client, idle(Duration::ZERO), LONG));
    let _ = scheduler.run(); // it ends with the first wait
    let slept = slept.get().expect("the watchman of a client that has just come sleeps");
    assert!(
        slept > LONG / 2,
        "the client may be silent for 10 s, and its watchman looks again after {slept:?}. With \
         ten thousand clients, somebody would always be looking: when can it have been silent \
         for too long, at the earliest?"
    );
}

#[test]
fn then_it_falls_silent() {
    let mut watched = Watched::new(Duration::ZERO);
    assert!(watched.sleeps(Data::Start), "the client has just come");
    watched.activity.last.set(idle(LONG).last.get());
    assert!(!watched.sleeps(Data::Slept), "idle for the whole limit, and it sleeps on");
    assert!(!watched.is_connected(), "idle for the whole limit, and still connected");
}

#[test]
fn it_sleeps_for_what_is_left() {
    let (mut ours, theirs) = pair();
    let server = schedule::<Select>(move |scheduler| {
        let client = Socket::new(theirs).expect("a socket");
        scheduler.submit_task(watchman(client, idle(LONG - SHORT), LONG));
    });
    let end = ours.read(&mut [0]);
    assert!(
        matches!(end, Ok(0)),
        "when the watchman looked, the limit of 10 s was over in 50 ms; 3 s later the client was \
         still connected. For how long does it sleep after a look?"
    );
    server.end("the watchman did not finish").expect("select works");
}

#[test]
fn it_does_not_outlive_the_handler() {
    let mut watched = Watched::new(Duration::ZERO);
    assert!(watched.sleeps(Data::Start), "the client has just come");
    watched.activity.over.set(true);
    assert!(
        !watched.sleeps(Data::Slept),
        "the handler has finished, and its watchman sleeps on: it still owns the socket, so the \
         connection of a client that has gone stays open"
    );
}
