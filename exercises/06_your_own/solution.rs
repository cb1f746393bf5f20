//! An echo server of your own: one thread, futures, an executor and a reactor.
//!
//! The page of this exercise: chapters/exercises/06_your_own.md

// ANSWER: an echo server
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use exercises::poll::{POLLIN, POLLOUT, PollFd, poll};

/// How long a server without descriptors leaves its listening socket alone.
const PAUSE: Duration = Duration::from_millis(100);

/// The numbers of the tasks that can go on.
type ReadyQueue = Arc<Mutex<Vec<u64>>>;

struct TaskWaker {
    task: u64,
    ready: ReadyQueue,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().unwrap().push(self.task);
    }
}

type Tasks = HashMap<u64, Pin<Box<dyn Future<Output = ()>>>>;

/// What runs the tasks; they share it.
#[derive(Default)]
struct Executor {
    ready: ReadyQueue,
    tasks: RefCell<Tasks>,
    /// Tasks and timers have numbers.
    numbers: Cell<u64>,
    reactor: RefCell<Reactor>,
}

impl Executor {
    fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let task = self.number();
        self.tasks.borrow_mut().insert(task, Box::pin(future));
        self.ready.lock().unwrap().push(task);
    }

    fn run(&self) -> io::Result<()> {
        loop {
            // Tasks that are woken meanwhile run after the next look at the sockets.
            let batch: Vec<u64> = self.ready.lock().unwrap().drain(..).collect();
            batch.into_iter().for_each(|task| self.run_task(task));
            let must_not_sleep = !self.ready.lock().unwrap().is_empty();
            self.reactor.borrow_mut().wait(must_not_sleep)?;
        }
    }

    fn run_task(&self, task: u64) {
        let Some(mut future) = self.tasks.borrow_mut().remove(&task) else { return };
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(TaskWaker { task, ready }));
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut().insert(task, future);
        }
    }

    /// A leaf future: makes the system call when the descriptor is ready.
    async fn when_ready<T>(
        &self,
        fd: RawFd,
        events: i16,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let mut has_waited = false;
        poll_fn(|context| {
            let sockets = &mut self.reactor.borrow_mut().sockets;
            match (has_waited, sockets.contains_key(&fd)) {
                // Another task waits for it.
                (false, true) => return Poll::Ready(Err(ErrorKind::ResourceBusy.into())),
                // The reactor has called the waker.
                (true, false) => match call() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                },
                _ => {}
            }
            has_waited = true;
            sockets.insert(fd, (events, context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// Another leaf future.
    async fn sleep(&self, pause: Duration) {
        let key = (Instant::now() + pause, self.number());
        poll_fn(|context| {
            if Instant::now() >= key.0 {
                return Poll::Ready(());
            }
            self.reactor.borrow_mut().timers.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// The wakers of the tasks that wait.
#[derive(Default)]
struct Reactor {
    sockets: HashMap<RawFd, (i16, Waker)>,
    /// A number belongs to the key: two tasks may have the same moment.
    timers: BTreeMap<(Instant, u64), Waker>,
}

impl Reactor {
    /// Sleeps until something is ready, or the first timer is due, and calls the wakers.
    fn wait(&mut self, must_not_sleep: bool) -> io::Result<()> {
        let timeout = match self.timers.first_key_value() {
            _ if must_not_sleep => Some(Duration::ZERO),
            first => first.map(|(at, _)| at.0.saturating_duration_since(Instant::now())),
        };
        let asked = self.sockets.iter();
        let entry = |(&fd, &(events, _)): (&RawFd, &(i16, Waker))| PollFd {
            fd,
            events,
            revents: 0,
        };
        let mut list: Vec<PollFd> = asked.map(entry).collect();
        poll(&mut list, timeout)?;
        for ready in list.iter().filter(|it| it.revents != 0) {
            if let Some((_, waker)) = self.sockets.remove(&ready.fd) {
                waker.wake();
            }
        }
        while let Some(first) = self.timers.first_entry()
            && first.key().0 <= Instant::now()
        {
            first.remove().wake();
        }
        Ok(())
    }
}

async fn echo_server(executor: Rc<Executor>, listener: TcpListener) {
    loop {
        let accept = || listener.accept();
        let accepted = executor.when_ready(listener.as_raw_fd(), POLLIN, accept).await;
        match accepted {
            Ok((client, _)) => {
                let served = echo(Rc::clone(&executor), client);
                executor.spawn(async { drop(served.await) });
            }
            Err(_) => executor.sleep(PAUSE).await,
        }
    }
}

async fn echo(executor: Rc<Executor>, client: TcpStream) -> io::Result<()> {
    client.set_nonblocking(true)?;
    client.set_nodelay(true)?;
    let (fd, mut buffer) = (client.as_raw_fd(), vec![0; 16 * 1024]);
    loop {
        let read = || (&client).read(&mut buffer);
        let count = executor.when_ready(fd, POLLIN, read).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let write = || (&client).write(rest);
            rest = &rest[executor.when_ready(fd, POLLOUT, write).await?..];
        }
    }
}

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let executor = Rc::new(Executor::default());
    executor.spawn(echo_server(Rc::clone(&executor), listener));
    executor.run()
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
