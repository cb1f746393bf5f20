//! What the executor tells whoever watches. An executor on a poller that is not [`Traced`] is
//! compiled without it.
//!
//! A task is watched by another future around its own, and so needs nothing of the executor. Nobody
//! watches the wakers: they may be on another thread. What they have done is seen on the ready
//! queue.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::queue::{Queue, TaskId};
use super::reactor::Source;
use super::time::Timers;
use crate::event::Data;
use crate::net::Socket;
use crate::poller::{Direction, Dry, Poller, Readiness, Watch};
use crate::trace::{self, Did, On, Step, Trace, Wait, Want};

// ANCHOR: traced
/// A poller whose executor reports each step to a [`Trace`].
#[derive(Debug)]
pub struct Traced<P> {
    poller: P,
    trace: trace::Shared,
}

impl<P: Poller> Traced<P> {
    /// The same poller, watched.
    pub fn new(poller: P, trace: impl Trace + 'static) -> Traced<P> {
        Traced { poller, trace: trace::Shared::new(trace) }
    }
}

impl<P: Poller> Poller for Traced<P> {
    const CALL: &'static str = P::CALL;
    const TRACED: bool = true;

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
        self.poller.watch(socket, direction)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.poller.unwatch(fd, direction);
    }

    fn dry(&mut self, fd: RawFd, direction: Direction, why: Dry) {
        self.poller.dry(fd, direction, why);
    }

    fn trace(&self) -> Option<trace::Shared> {
        Some(self.trace.clone())
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: impl FnMut(Readiness),
    ) -> io::Result<()> {
        let asked = self.poller.asked();
        self.trace.record(Step::Enter { call: P::CALL, asked, timeout });
        let mut those = vec![];
        self.poller.wait(timeout, |it| those.push(it))?;
        self.trace.record(Step::Leave { call: P::CALL, ready: &those });
        those.into_iter().for_each(ready);
        Ok(())
    }
}
// ANCHOR_END: traced

// ANCHOR: tracer
/// Follows the tasks of an executor.
pub(super) struct Tracer {
    trace: trace::Shared,
    queue: Arc<Queue>,
    timers: Rc<RefCell<Timers>>,
    /// The task whose turn it is.
    current: Cell<Option<u64>>,
    /// The tasks that have not finished, by number.
    tasks: RefCell<HashMap<u64, Followed>>,
    /// Whose waker it is, by the address of what is inside.
    wakers: RefCell<HashMap<*const (), u64>>,
    /// What the current task waits for.
    waits: RefCell<Vec<(Wait, Rc<Source>)>>,
    /// The lines at which the futures of each descriptor were made: to read, to write.
    lines: RefCell<Vec<[Option<&'static Location<'static>>; 2]>>,
    /// How many tasks on the ready queue have been reported.
    seen: Cell<usize>,
    /// The number of the last task whose beginning has been reported.
    spawned: Cell<u64>,
}

/// A task that is followed.
struct Followed {
    name: &'static str,
    /// Where it has begun to sleep, if it ever has.
    sleeps_at: Option<&'static Location<'static>>,
}

impl Tracer {
    pub(super) fn new(
        trace: trace::Shared,
        queue: &Arc<Queue>,
        timers: &Rc<RefCell<Timers>>,
    ) -> Tracer {
        Tracer {
            trace,
            queue: Arc::clone(queue),
            timers: Rc::clone(timers),
            current: Cell::default(),
            tasks: RefCell::default(),
            wakers: RefCell::default(),
            waits: RefCell::default(),
            lines: RefCell::default(),
            seen: Cell::default(),
            spawned: Cell::default(),
        }
    }
    // ANCHOR_END: tracer

    // ANCHOR: around
    /// The future of a new task, in another one that reports its turns.
    pub(super) fn around(
        self: &Rc<Tracer>,
        number: u64,
        name: &'static str,
        future: Pin<Box<dyn Future<Output = ()>>>,
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        self.tasks.borrow_mut().insert(number, Followed { name, sleeps_at: None });
        let end = End { tracer: Rc::clone(self), number, in_turn: false, waker: None };
        Box::pin(Turns { future, end })
    }
    // ANCHOR_END: around

    // ANCHOR: look
    /// Reports what is new on the ready queue.
    pub(super) fn look(&self) {
        self.report(&self.queue.since(self.seen.get()));
    }

    /// All that was on the ready queue has been taken off it.
    pub(super) fn taken(&self, batch: &[TaskId]) {
        self.report(&batch[self.seen.get()..]);
        self.seen.set(0);
    }

    fn report(&self, new: &[TaskId]) {
        for number in new.iter().map(|task| u64::from(task.number)) {
            let tasks = self.tasks.borrow();
            let Some(Followed { name, .. }) = tasks.get(&number) else {
                continue; // it has finished, and the waker did not know
            };
            self.trace.record(if number > self.spawned.get() {
                self.spawned.set(number);
                Step::Spawn { task: number, name }
            } else {
                Step::Wake { task: number }
            });
        }
        self.seen.set(self.seen.get() + new.len());
    }
    // ANCHOR_END: look

    // ANCHOR: leaf
    /// A future has been made that wants something of this socket.
    pub(super) fn made(
        &self,
        source: &Source,
        direction: Direction,
        at: &'static Location<'static>,
    ) {
        let (fd, mut lines) =
            (source.socket.as_raw_fd() as usize, self.lines.borrow_mut());
        if fd >= lines.len() {
            lines.resize(fd + 1, [None; 2]);
        }
        lines[fd][direction as usize] = Some(at);
    }

    /// A task begins to sleep, or may: it has made a future for that.
    pub(super) fn sleeps(&self, at: &'static Location<'static>) {
        let mut tasks = self.tasks.borrow_mut();
        let task = self.current.get().and_then(|task| tasks.get_mut(&task));
        task.into_iter().for_each(|task| task.sleeps_at = Some(at));
    }

    /// A future of this task waits.
    pub(super) fn waits(
        &self,
        source: &Rc<Source>,
        direction: Direction,
        want: Want,
        len: Option<usize>,
    ) {
        let Some(at) = self.line(source, direction) else { return };
        let fd = source.socket.as_raw_fd();
        let on = source.side(direction).is_waiting().then_some(On::from((fd, direction)));
        let socket = Some(source.socket.clone());
        let wait = Wait { want, socket, len, on, at };
        let mut waits = self.waits.borrow_mut();
        waits.retain(|(other, _)| other.on.is_none() || other.on != on);
        waits.push((wait, Rc::clone(source)));
    }

    /// A future of this task has done what it is for.
    pub(super) fn did(
        &self,
        source: &Source,
        direction: Direction,
        want: Want,
        result: Result<Did<'_>, &io::Error>,
    ) {
        if let (Some(task), Some(at)) = (self.current.get(), self.line(source, direction))
        {
            let socket = &source.socket;
            self.trace.record(Step::Did { task, socket, want, at, result });
        }
    }

    /// The line at which the future was made that wants this of the socket.
    fn line(
        &self,
        source: &Source,
        direction: Direction,
    ) -> Option<&'static Location<'static>> {
        let fd = source.socket.as_raw_fd() as usize;
        self.lines.borrow().get(fd)?[direction as usize]
    }

    /// A graceful stop begins.
    pub(super) fn stop(&self) {
        self.trace.record(Step::Stop);
    }
    // ANCHOR_END: leaf

    // ANCHOR: state
    /// Reports where all tasks are, if that is wanted.
    pub(super) fn state<'a>(&self, sources: impl Iterator<Item = &'a Rc<Source>>) {
        self.look();
        if !self.trace.wants_state() {
            return;
        }
        let (tasks, wakers) = (self.tasks.borrow(), self.wakers.borrow());
        let ready = self.queue.since(0).into_iter().take(self.seen.get());
        let ready: Vec<u64> = ready
            .map(|task| task.number.into())
            .filter(|it| tasks.contains_key(it))
            .collect();
        // Whoever is on the ready queue may have left a waker elsewhere; it waits no more.
        let whose = |waker: &Waker| {
            wakers.get(&waker.data()).copied().filter(|it| !ready.contains(it))
        };
        let (mut read, mut write) = (vec![], vec![]);
        for source in sources {
            let fd = source.socket.as_raw_fd();
            read.extend(source.read.waiting(whose).map(|task| (fd, task)));
            write.extend(source.write.waiting(whose).map(|task| (fd, task)));
        }
        let timer = self.timers.borrow().wakers().filter_map(whose).collect();
        let running = tasks.len();
        let state =
            trace::State { running, ready, read, write, timer, ..Default::default() };
        self.trace.record(Step::State(&state));
    }
    // ANCHOR_END: state

    // ANCHOR: pauses
    fn begins(&self, task: u64) {
        self.current.set(Some(task));
        self.trace.record(Step::Resume { task, with: &Data::Start });
    }

    /// The task's turn is over, and it waits.
    fn pauses(&self, task: u64, waker: &Waker) {
        self.current.set(None);
        let mut waits = mem::take(&mut *self.waits.borrow_mut());
        // What it has given up in the same turn it does not wait for.
        waits.retain(|(wait, source)| match wait.on {
            Some(On::Read(_)) => source.read.is_waiting(),
            Some(On::Write(_)) => source.write.is_waiting(),
            _ => true,
        });
        let mut waits: Vec<Wait> = waits.into_iter().map(|(wait, _)| wait).collect();
        let sleeps = self.timers.borrow().wakers().any(|it| it.data() == waker.data());
        let tasks = self.tasks.borrow();
        if let Some(at) = tasks.get(&task).and_then(|task| task.sleeps_at)
            && sleeps
        {
            let on = Some(On::Timer);
            waits.push(Wait { want: Want::Sleep, socket: None, len: None, on, at });
        }
        drop(tasks);
        self.trace.record(Step::Pending { task, waits: &waits });
        self.look();
    }
}
// ANCHOR_END: pauses

// ANCHOR: turns
/// A future that reports when its task runs, and until when.
struct Turns {
    // Its end is reported after it has been dropped.
    future: Pin<Box<dyn Future<Output = ()>>>,
    end: End,
}

/// Reports a task's end.
struct End {
    tracer: Rc<Tracer>,
    number: u64,
    /// It has begun a turn, and has not come back: if this is dropped, it has panicked.
    in_turn: bool,
    /// Its waker, by the address of what is inside.
    waker: Option<*const ()>,
}

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Turns { future, end } = &mut *self;
        let waker = context.waker().data();
        if end.waker.is_none() {
            end.waker = Some(waker);
            end.tracer.wakers.borrow_mut().insert(waker, end.number);
        }
        end.tracer.begins(end.number);
        end.in_turn = true;
        let poll = future.as_mut().poll(context);
        end.in_turn = false;
        if poll.is_pending() {
            end.tracer.pauses(end.number, context.waker());
        }
        poll
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let End { tracer, number, in_turn, waker } = self;
        tracer.current.set(None);
        tracer.waits.borrow_mut().clear();
        if *number > tracer.spawned.get() {
            tracer.look(); // its beginning comes first
        }
        tracer.tasks.borrow_mut().remove(number);
        waker.map(|waker| tracer.wakers.borrow_mut().remove(&waker));
        tracer.trace.record(Step::Finish { task: *number, panicked: *in_turn });
    }
}
// ANCHOR_END: turns
