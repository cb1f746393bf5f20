//! An echo server of futures, small enough to be read at once. Chapter six of the book begins
//! with it, and shows what it lacks. What to try: `cargo run --example small_executor`.

#![forbid(unsafe_code)]

// ANCHOR: uses
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bricks::cli::Program;
use bricks::epoll::epoll_or_select;
use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::poller::Poller;

const PROGRAM: Program = Program {
    name: "small_executor",
    about: "An echo server of futures, with a small executor.",
    lines: false,
    trace: false,
};
// ANCHOR_END: uses

// ANCHOR: executor
/// The numbers of the tasks that can go on.
type ReadyQueue = Arc<Mutex<Vec<u64>>>;
type Tasks = HashMap<u64, Pin<Box<dyn Future<Output = ()>>>>;

struct TaskWaker {
    task: u64,
    ready: ReadyQueue,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap().push(self.task);
    }
}

struct Executor {
    tasks: RefCell<Tasks>,
    spawned: Cell<u64>,
    ready: ReadyQueue,
    reactor: RefCell<Reactor>,
}

impl Executor {
    /// Adds a task. It has its first turn in the next round.
    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let task = self.spawned.get() + 1;
        self.spawned.set(task);
        self.tasks.borrow_mut().insert(task, Box::pin(future));
        self.ready.lock().unwrap().push(task);
    }

    fn run(&self) -> io::Result<()> {
        loop {
            let batch: Vec<u64> = self.ready.lock().unwrap().drain(..).collect();
            batch.into_iter().for_each(|task| self.run_task(task));
            let must_not_sleep = !self.ready.lock().unwrap().is_empty();
            self.reactor.borrow_mut().wait(must_not_sleep.then_some(Duration::ZERO))?;
        }
    }

    fn run_task(&self, task: u64) {
        // It leaves the map for its turn, in which it may spawn others.
        let Some(mut future) = self.tasks.borrow_mut().remove(&task) else { return };
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(TaskWaker { task, ready }));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut().insert(task, future);
        }
    }
}

async fn echo_server(executor: Rc<Executor>, sock: Socket) {
    loop {
        let accepted = executor.when_ready(&sock, Direction::Read, || sock.try_accept());
        if let Ok((client, _)) = accepted.await {
            let served = echo(Rc::clone(&executor), client);
            executor.spawn(async { drop(served.await) }); // an error ends this client only
        }
    }
}
// ANCHOR_END: executor

// ANCHOR: echo
async fn echo(executor: Rc<Executor>, client: Socket) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = || client.try_read(&mut buffer);
        let count = executor.when_ready(&client, Direction::Read, read).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let send = || client.try_send(rest);
            rest = &rest[executor.when_ready(&client, Direction::Write, send).await?..];
        }
    }
}
// ANCHOR_END: echo

// ANCHOR: leaf
impl Executor {
    /// The leaf future: waits until `socket` is ready, and then makes the system call.
    async fn when_ready<T>(
        &self,
        socket: &Socket,
        direction: Direction,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            if polls > 1 {
                match call() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {} // not yet
                    result => return Poll::Ready(result),
                }
            }
            // Register: the poller watches the socket, and the reactor keeps the waker.
            let Reactor { poller, waiting } = &mut *self.reactor.borrow_mut();
            poller.watch(socket, direction)?;
            waiting.insert((socket.as_raw_fd(), direction), context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
// ANCHOR_END: leaf

// ANCHOR: reactor
/// It knows sockets and wakers, and no tasks.
struct Reactor {
    poller: Box<dyn Poller>,
    waiting: HashMap<Readiness, Waker>,
}

impl Reactor {
    /// Sleeps until a socket is ready, or for `timeout`, and calls the wakers.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut ready = vec![];
        self.poller.wait(timeout, &mut ready)?;
        ready.iter().filter_map(|place| self.waiting.remove(place)).for_each(Waker::wake);
        Ok(())
    }
}
// ANCHOR_END: reactor

// ANCHOR: main
/// Serves the clients of `sock`, all of them on this thread.
pub(crate) fn serve(sock: Socket) -> io::Result<()> {
    let (poller, waiting) = (Box::new(epoll_or_select()?), HashMap::new());
    let executor = Rc::new(Executor {
        tasks: RefCell::default(),
        spawned: Cell::default(),
        ready: ReadyQueue::default(),
        reactor: RefCell::new(Reactor { poller, waiting }),
    });
    executor.spawn(echo_server(Rc::clone(&executor), sock));
    executor.run()
}

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        options.log.listening(sock.local_addr()?);
        serve(sock)
    })
}
// ANCHOR_END: main
