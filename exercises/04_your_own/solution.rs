//! An echo server of your own: one thread, tasks that yield events, and a scheduler.
//!
//! The page of this exercise: chapters/exercises/04_your_own.md

// ANSWER: an echo server
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use exercises::poll::{POLLIN, POLLOUT, PollFd, poll};

const BATCH: usize = 64; // so many tasks run before the sockets get their turn
const PAUSE: Duration = Duration::from_millis(100); // after `accept` has failed

/// What a task waits for. It owns what it needs.
enum Event {
    Accept(Rc<TcpListener>),
    Receive(Rc<TcpStream>),
    Send(Rc<TcpStream>, Vec<u8>, usize),
    Sleep(Instant),
}

/// What came of an event.
enum Data {
    Nothing,
    Client(TcpStream),
    Bytes(Vec<u8>),
}
type Outcome = io::Result<Data>;

impl Event {
    /// The descriptor, and what is to be asked about it.
    fn waits_for(&self) -> (RawFd, i16) {
        match self {
            Event::Accept(listener) => (listener.as_raw_fd(), POLLIN),
            Event::Receive(client) => (client.as_raw_fd(), POLLIN),
            Event::Send(client, ..) => (client.as_raw_fd(), POLLOUT),
            Event::Sleep(_) => unreachable!("it is among the timers"),
        }
    }

    /// The system call. `WouldBlock`: it has to wait on, perhaps for a rest only.
    fn happen(&mut self) -> Outcome {
        Ok(match self {
            Event::Accept(listener) => {
                let (client, _) = listener.accept()?;
                client.set_nonblocking(true)?;
                client.set_nodelay(true)?;
                Data::Client(client)
            }
            Event::Receive(client) => {
                let mut bytes = vec![0; 64 * 1024];
                let count = (&**client).read(&mut bytes)?;
                bytes.truncate(count);
                Data::Bytes(bytes)
            }
            Event::Send(client, bytes, sent) => {
                *sent += (&**client).write(&bytes[*sent..])?;
                if *sent < bytes.len() {
                    return Err(ErrorKind::WouldBlock.into());
                }
                Data::Nothing
            }
            Event::Sleep(_) => Data::Nothing,
        })
    }
}

/// What passes between a suspended task (through its `Co`) and the scheduler.
#[derive(Default)]
struct Mailbox {
    event: Cell<Option<Event>>,
    result: Cell<Option<Outcome>>,
}

struct Co(Rc<Mailbox>);

impl Co {
    /// Hands the event to the scheduler, and is suspended once; then there is a result.
    async fn wait(&self, event: Event) -> Outcome {
        self.0.event.set(Some(event));
        let mut states = [Poll::Pending, Poll::Ready(())].into_iter();
        poll_fn(|_| states.next().expect("a future that is ready is not polled")).await;
        self.0.result.take().expect("a task is resumed with a result")
    }
}

/// A coroutine, and its mailbox.
struct Task {
    body: Pin<Box<dyn Future<Output = ()>>>,
    mailbox: Rc<Mailbox>,
}

impl Task {
    /// Runs it up to its next event. `None`: it has finished.
    fn send(&mut self, result: Outcome) -> Option<Event> {
        self.mailbox.result.set(Some(result));
        match self.body.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => None,
            Poll::Pending => self.mailbox.event.take(),
        }
    }
}

/// Tasks that can go on, each with the result to go on with. The tasks share it.
#[derive(Clone, Default)]
struct Ready(Rc<RefCell<VecDeque<(Task, Outcome)>>>);

impl Ready {
    fn submit<Body: Future<Output = ()> + 'static>(&self, body: impl FnOnce(Co) -> Body) {
        let mailbox = Rc::new(Mailbox::default());
        let body = Box::pin(body(Co(Rc::clone(&mailbox))));
        self.add(Task { body, mailbox }, Ok(Data::Nothing));
    }

    fn add(&self, task: Task, result: Outcome) {
        self.0.borrow_mut().push_back((task, result));
    }
}

#[derive(Default)]
struct Scheduler {
    ready: Ready,
    /// One task for each descriptor.
    waiting: HashMap<RawFd, (Event, Task)>,
    /// A number belongs to the key: two tasks may have the same moment.
    timers: BTreeMap<(Instant, usize), Task>,
    timers_set: usize,
}

impl Scheduler {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.run_ready();
            for fd in self.wait()? {
                if let Some((mut event, task)) = self.waiting.remove(&fd) {
                    match event.happen() {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            self.schedule(event, task);
                        }
                        result => self.ready.add(task, result),
                    }
                }
            }
            while let Some(first) = self.timers.first_entry()
                && first.key().0 <= Instant::now()
            {
                self.ready.add(first.remove(), Ok(Data::Nothing));
            }
        }
    }

    fn run_ready(&mut self) {
        let bound = self.ready.0.borrow().len().max(BATCH);
        for _ in 0..bound {
            let next = self.ready.0.borrow_mut().pop_front();
            let Some((mut task, result)) = next else { break };
            if let Some(event) = task.send(result) {
                self.schedule(event, task);
            }
        }
    }

    fn schedule(&mut self, event: Event, task: Task) {
        if let Event::Sleep(until) = event {
            self.timers_set += 1;
            self.timers.insert((until, self.timers_set), task);
            return;
        }
        let (fd, _) = event.waits_for();
        match self.waiting.contains_key(&fd) {
            true => self.ready.add(task, Err(ErrorKind::ResourceBusy.into())),
            false => drop(self.waiting.insert(fd, (event, task))),
        }
    }

    /// Sleeps until something is ready, or the first timer is due. Returns what is ready.
    fn wait(&self) -> io::Result<Vec<RawFd>> {
        let timeout = match self.timers.first_key_value() {
            _ if !self.ready.0.borrow().is_empty() => Some(Duration::ZERO),
            first => first.map(|(at, _)| at.0.saturating_duration_since(Instant::now())),
        };
        let asked = self.waiting.values().map(|(event, _)| event.waits_for());
        let entry = |(fd, events)| PollFd { fd, events, revents: 0 };
        let mut list: Vec<PollFd> = asked.map(entry).collect();
        poll(&mut list, timeout)?;
        Ok(list.into_iter().filter(|it| it.revents != 0).map(|it| it.fd).collect())
    }
}

async fn echo_server(co: Co, listener: Rc<TcpListener>, ready: Ready) {
    loop {
        match co.wait(Event::Accept(Rc::clone(&listener))).await {
            Ok(Data::Client(client)) => ready.submit(|co| echo(co, Rc::new(client))),
            _ => drop(co.wait(Event::Sleep(Instant::now() + PAUSE)).await),
        }
    }
}

async fn echo(co: Co, client: Rc<TcpStream>) {
    while let Ok(Data::Bytes(bytes)) = co.wait(Event::Receive(Rc::clone(&client))).await
        && !bytes.is_empty()
        && co.wait(Event::Send(Rc::clone(&client), bytes, 0)).await.is_ok()
    {}
}

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut scheduler = Scheduler::default();
    let ready = scheduler.ready.clone();
    scheduler.ready.submit(|co| echo_server(co, Rc::new(listener), ready));
    scheduler.run()
}
// STARTER
//| use std::io;
//| use std::net::TcpListener;
//|
//| /// Serves the clients of `listener`, all of them on this thread.
//| pub fn serve(listener: TcpListener) -> io::Result<()> {
//|     todo!("an echo server")
//| }
// ANSWER_END
