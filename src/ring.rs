//! `io_uring`: the tasks' events are handed to the kernel, which lets them happen.
//!
//! `select` and `epoll` tell when something *can* be done; then it takes another call to do it.
//! Here an event is not a question but an order: "receive from this socket, and tell me when you
//! have". Orders are written to a queue in memory that is shared with the kernel, results are
//! read from another, and one system call hands over a whole round of orders and waits for
//! results. There is no readiness any more, and no waiting table: the kernel has both.
//!
//! So this is not another poller for the scheduler. It is another driver of the same tasks: the
//! same events, the same ready queue, the same rule for stopping.

// ANCHOR: modules
#[expect(unsafe_code, reason = "memory that is shared with the kernel")]
mod kernel;
mod listener;
#[expect(unsafe_code, reason = "what the kernel reads and writes")]
mod operation;
#[expect(unsafe_code, reason = "memory that is shared with the kernel")]
mod provided;
mod set_up;
// ANCHOR_END: modules

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::buffer::Buffers;
use crate::event::{Data, Event, Happened, Outcome, Schedule};
use crate::net::Socket;
use crate::poller::{Direction, Readiness};
use crate::ready::{Handle, Ready, Stepped, Submitted};
use crate::scheduler::{BATCH, INPUT_GRACE, STOP_GRACE};
use crate::task::Task;
use crate::timers::{Timer, Timers};
use crate::trace::{On, State, Step, Trace, Untraced};
pub use kernel::Kernel;
use kernel::{Completed, Key};
use listener::Listener;
use operation::Hint;

// ANCHOR: ring
/// Drives tasks, each from one event to the next, on one thread, through an `io_uring`.
#[derive(Debug)]
pub struct Ring<T: Trace = Untraced> {
    ready: Rc<Ready<T>>,
    /// The operations that are under way. Each owns its event and its task.
    kernel: Kernel,
    /// What is under way on each descriptor.
    descriptors: Vec<Descriptor>,
    listeners: Vec<Listener>,
    timers: Timers<RawFd>,
    buffers: Buffers,
    /// When the stop began.
    stopped: Option<Instant>,
}

/// What is under way on a descriptor: at most one operation in each direction.
#[derive(Debug, Default)]
struct Descriptor {
    reading: Option<Key>,
    writing: Option<Key>,
    hint: Hint,
}
// ANCHOR_END: ring

// ANCHOR: new
impl Ring {
    /// A ring without tasks, which hands their events to `kernel`.
    pub fn new(kernel: Kernel) -> Ring {
        Ring::with_trace(kernel, Untraced)
    }
}

impl<T: Trace + 'static> Ring<T> {
    /// A ring that reports each step to `trace`.
    pub fn with_trace(kernel: Kernel, trace: T) -> Ring<T> {
        Ring {
            ready: Rc::new(Ready::new(trace)),
            kernel,
            descriptors: Vec::new(),
            listeners: Vec::new(),
            timers: Timers::default(),
            buffers: Buffers::default(),
            stopped: None,
        }
    }

    /// What tasks use to submit other tasks.
    pub fn handle(&self) -> Handle {
        Handle::new(Rc::clone(&self.ready))
    }

    /// Adds a task. It does not run before [`run`](Ring::run) is called.
    pub fn submit_task(&mut self, task: impl Task + 'static) {
        self.ready.submit_task(task);
    }

    /// Asks for a graceful stop; see [`Handle::stop`].
    pub fn stop(&mut self) {
        self.handle().stop();
    }
    // ANCHOR_END: new

    // ANCHOR: run
    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`] is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`], or that of a ring that cannot go on.
    pub fn run(&mut self) -> io::Result<()> {
        while self.ready.running() > 0 {
            self.run_ready();
            if self.ready.stopping() && self.stopped.is_none() {
                self.begin_stop();
            }
            if self.ready.running() == 0 || self.stop_is_over() {
                break;
            }

            // All that the tasks want, in one system call.
            let timeout = self.timeout();
            self.trace_enter(timeout);
            self.kernel.enter(timeout)?;
            self.trace_leave();

            // These events have happened.
            while let Some(completed) = self.kernel.next(&mut self.buffers) {
                self.happened(completed);
            }
            self.run_timers();
        }
        self.abandon();
        self.ready.take_failure().map_or(Ok(()), Err)
    }
    // ANCHOR_END: run

    // ANCHOR: trace
    /// The last word before the wait, for whoever watches.
    fn trace_enter(&self, timeout: Option<Duration>) {
        if self.ready.wants_state() {
            let state = self.state();
            self.ready.trace(|| Step::State(&state));
        }
        self.ready.trace(|| Step::Enter { call: CALL, asked: None, timeout });
    }

    /// Where all tasks are.
    fn state(&self) -> State {
        let accepting = self.listeners.iter().filter_map(Listener::task);
        State {
            running: self.ready.running(),
            ready: self.ready.tasks(),
            timer: self.timers.sleeping().collect(),
            kernel: self.kernel.tasks().chain(accepting).collect(),
            ..State::default()
        }
    }

    fn trace_leave(&mut self) {
        if T::ON {
            let ready = self.kernel.arrived(what);
            self.ready.trace(|| Step::Leave { call: CALL, ready: &ready });
        }
    }
    // ANCHOR_END: trace

    // ANCHOR: run_ready
    /// Moves each task that is ready on to its next event.
    fn run_ready(&mut self) {
        for _ in 0..self.ready.len().max(BATCH) {
            let Some(stepped) = self.ready.step() else { break };
            if let Stepped::Yielded(task, event) = stepped
                && let Some((task, data)) = event.do_schedule(self, task)
            {
                self.ready.push(task, data);
            }
        }
        self.forget_listeners();
    }
    // ANCHOR_END: run_ready

    // ANCHOR: submit
    /// An event that needs its socket: to the kernel, unless the like of it is under way.
    fn submit(&mut self, event: Event, task: Submitted) {
        if let Some(since) = self.stopped
            && !matches!(event, Event::Send(_) | Event::Close(_))
        {
            return self.happen_last(event, task, since);
        }
        let (fd, direction) = what(&event);
        if self.is_busy(fd, direction) {
            // Two tasks want the same thing. The first goes on waiting.
            return self.give_up(event, task, io::ErrorKind::ResourceBusy.into());
        }
        self.ready.trace(|| Step::Park { task: task.id(), on: On::Kernel });
        match event {
            Event::Connect(_) => self.accept(event, task),
            _ => self.start(event, task, self.descriptors[fd as usize].hint),
        }
    }

    fn start(&mut self, event: Event, task: Submitted, hint: Hint) {
        let (fd, direction) = what(&event);
        let key = self.kernel.start(event, Some(task), hint);
        *self.under_way(fd, direction) = Some(key);
    }
    // ANCHOR_END: submit

    // ANCHOR: happened
    /// The kernel has let an event happen: its task and its result go onto the ready queue.
    fn happened(&mut self, completed: Completed) {
        let Completed { event, task, outcome, hint } = completed;
        let (fd, direction) = what(&event);
        if let Outcome::Accepted(client) = outcome {
            return self.accepted(event, client);
        }
        *self.under_way(fd, direction) = None;
        if let Outcome::Received(result) = &outcome {
            self.descriptors[fd as usize].hint = hint;
            if let (Ok(b""), Some(socket)) = (result.as_deref(), event.socket()) {
                socket.end();
            }
        }
        let Some(task) = task else { return };
        match error_number(&outcome) {
            Some(libc::ECANCELED) => self.cancelled(event, task),
            // All buffers were in use. Those of this round are back by now, so try again.
            Some(libc::ENOBUFS) if direction == Direction::Read => {
                self.start(event, task, Hint { more: true, ..hint });
            }
            _ => match event.completed(outcome, &mut self.buffers) {
                Happened::Done { data, .. } => self.finish(task, data),
                Happened::WouldBlock(event) | Happened::More(event)
                    if self.is_too_late(&event, &task) =>
                {
                    self.give_up(event, task, io::ErrorKind::TimedOut.into());
                }
                Happened::WouldBlock(event) => {
                    let key = self.kernel.start_later(event, Some(task));
                    *self.under_way(fd, direction) = Some(key);
                }
                Happened::More(event) => self.start(event, task, hint),
            },
        }
    }

    /// More bytes have come before the kernel gave a close up, whose time is over all the same.
    fn is_too_late(&self, event: &Event, task: &Submitted) -> bool {
        matches!(event, Event::Close(_)) && !self.timers.has_deadline(task.id())
    }

    fn finish(&mut self, task: Submitted, data: Data) {
        self.timers.forget_deadline(task.id());
        self.ready.push(task, data);
    }

    /// Somebody has given the operation up: it has come too late, or a stop has begun.
    fn cancelled(&mut self, event: Event, task: Submitted) {
        match (self.stopped, &event) {
            (Some(since), Event::Receive(_)) => self.happen_last(event, task, since),
            _ => self.give_up(event, task, io::ErrorKind::TimedOut.into()),
        }
    }

    /// The event cannot happen; its task is told why.
    #[cold]
    fn give_up(&mut self, event: Event, task: Submitted, error: io::Error) {
        self.finish(task, event.failed(error));
    }
    // ANCHOR_END: happened

    // ANCHOR: accept
    /// A task waits for a client; perhaps one has been accepted already.
    fn accept(&mut self, event: Event, task: Submitted) {
        let Some(socket) = event.socket() else { unreachable!("{NO_SOCKET}") };
        let (fd, _) = what(&event);
        let known = self.listeners.iter().position(|listener| listener.fd() == fd);
        let place = known.unwrap_or_else(|| {
            self.listeners.push(Listener::new(socket.clone()));
            self.listeners.len() - 1
        });
        let listener = &mut self.listeners[place];
        listener.waiting = Some((event, task));
        let next = listener.next();
        listener.refill(&mut self.kernel);
        self.connected(next);
    }

    /// The kernel has accepted a client, or failed to.
    fn accepted(&mut self, event: Event, result: io::Result<Socket>) {
        let (fd, _) = what(&event);
        if let Ok(client) = &result {
            // What is known of this descriptor was about another socket.
            *self.descriptor(client.as_raw_fd()) = Descriptor::default();
        }
        // If nobody wants clients any more, this one is closed.
        let listener = self.listeners.iter_mut().find(|listener| listener.fd() == fd);
        let next = listener.and_then(|it| it.completed(event, result, &mut self.kernel));
        self.connected(next);
    }

    fn connected(&mut self, next: Option<(Event, Submitted, io::Result<Socket>)>) {
        if let Some((_, task, client)) = next {
            self.finish(task, client.map_or_else(Data::Failed, Data::Connected));
        }
    }

    /// Accepts that nobody can ask for any more would keep the listening socket open.
    fn forget_listeners(&mut self) {
        let kernel = &mut self.kernel;
        self.listeners.retain(|listener| {
            let forgotten = listener.is_forgotten();
            if forgotten {
                let fd = Some(listener.fd());
                let its = |event: &Event| {
                    matches!(event, Event::Connect(_)) && event.fd() == fd
                };
                kernel.cancel_all(its);
            }
            !forgotten
        });
    }
    // ANCHOR_END: accept

    // ANCHOR: under_way
    fn descriptor(&mut self, fd: RawFd) -> &mut Descriptor {
        let fd = fd as usize;
        if fd >= self.descriptors.len() {
            self.make_room(fd);
        }
        &mut self.descriptors[fd]
    }

    #[cold]
    fn make_room(&mut self, fd: usize) {
        self.descriptors.resize_with(fd + 1, Descriptor::default);
    }

    fn under_way(&mut self, fd: RawFd, direction: Direction) -> &mut Option<Key> {
        let descriptor = self.descriptor(fd);
        match direction {
            Direction::Read => &mut descriptor.reading,
            Direction::Write => &mut descriptor.writing,
        }
    }

    fn is_busy(&mut self, fd: RawFd, direction: Direction) -> bool {
        let accepting = |it: &Listener| it.fd() == fd && it.waiting.is_some();
        self.under_way(fd, direction).is_some()
            || direction == Direction::Read && self.listeners.iter().any(accepting)
    }
    // ANCHOR_END: under_way

    // ANCHOR: timers
    /// How long the kernel may sleep; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let until = match (self.timers.next(), self.stopped) {
            (None, None) => return None,
            (Some(next), None) => next,
            (None, Some(since)) => since + STOP_GRACE,
            (Some(next), Some(since)) => next.min(since + STOP_GRACE),
        };
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Lets happen what is due by now.
    fn run_timers(&mut self) {
        if self.timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((_, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Sleep(task) => self.ready.push(task, Data::Slept),
                // The task is told when the kernel has really given the operation up.
                Timer::Deadline(fd) => {
                    if let Some(key) = *self.under_way(fd, Direction::Read) {
                        self.kernel.cancel(key);
                    }
                }
            }
        }
    }
    // ANCHOR_END: timers

    // ANCHOR: stop
    /// From now on nobody waits for something new. Who does already, is told: at once, or when
    /// the kernel has given the operation up.
    fn begin_stop(&mut self) {
        self.stopped = Some(Instant::now());
        self.ready.trace(|| Step::Stop);
        for listener in std::mem::take(&mut self.listeners) {
            if let Some((event, task)) = listener.waiting {
                self.submit(event, task);
            }
        }
        let waits =
            |event: &Event| matches!(event, Event::Connect(_) | Event::Receive(_));
        self.kernel.cancel_all(waits);
    }

    /// While stopping: no new client; of input, only what is there already, and then its end, so
    /// that every handler finishes by the way it knows. (Sending and closing go on as ever.)
    fn happen_last(&mut self, event: Event, task: Submitted, since: Instant) {
        let end = since.elapsed() >= INPUT_GRACE;
        self.ready.push(task, event.happen_last(end, &mut self.buffers));
    }

    fn stop_is_over(&self) -> bool {
        self.stopped.is_some_and(|since| since.elapsed() >= STOP_GRACE)
    }
    // ANCHOR_END: stop
}

// ANCHOR: abandon
impl<T: Trace> Ring<T> {
    /// Ends the tasks that are left, and takes back all that the kernel still has.
    fn abandon(&mut self) {
        let mut left = self.kernel.take_tasks();
        for listener in std::mem::take(&mut self.listeners) {
            left.extend(listener.waiting.map(|(_, task)| task));
        }
        left.append(&mut self.timers.take_sleepers());
        for task in left {
            self.ready.abandon(task);
        }
        self.ready.clear();
        self.kernel.end(&mut self.buffers);
        self.descriptors.clear();
    }
}

impl<T: Trace> Drop for Ring<T> {
    fn drop(&mut self) {
        // Tasks own handles, a handle shares the ready queue, and the queue owns tasks: a circle
        // that would keep itself alive.
        self.abandon();
    }
}
// ANCHOR_END: abandon

// ANCHOR: schedule
impl<T: Trace + 'static> Schedule for Ring<T> {
    type Task = Submitted;

    fn waiting_for_read(
        &mut self,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        self.submit(event, task);
        None
    }

    fn waiting_for_read_until(
        &mut self,
        deadline: Instant,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        let (fd, _) = what(&event);
        self.timers.deadline(deadline, task.id(), fd);
        self.submit(event, task);
        None
    }

    fn waiting_for_write(
        &mut self,
        event: Event,
        task: Submitted,
    ) -> Option<(Submitted, Data)> {
        self.submit(event, task);
        None
    }

    fn waiting_until(&mut self, instant: Instant, task: Submitted) {
        self.ready.trace(|| Step::Park { task: task.id(), on: On::Timer });
        self.timers.sleep(instant, task);
    }
}
// ANCHOR_END: schedule

// ANCHOR: what
/// The system call, as a recording names it.
const CALL: &str = "io_uring_enter";

const NO_SOCKET: &str = "a SleepEvent goes to the timers, and all others have a socket";

/// Which descriptor the event is about, and in which direction.
fn what(event: &Event) -> Readiness {
    let Some(fd) = event.fd() else { unreachable!("{NO_SOCKET}") };
    (fd, event.direction())
}
// ANCHOR_END: what

// ANCHOR: error_number
fn error_number(outcome: &Outcome) -> Option<i32> {
    match outcome {
        Outcome::Accepted(result) => result.as_ref().err(),
        Outcome::Received(result) => result.as_ref().err(),
        Outcome::Sent(result) => result.as_ref().err(),
    }
    .and_then(io::Error::raw_os_error)
}
// ANCHOR_END: error_number
