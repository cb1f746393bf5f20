//! The executor: it polls the tasks that are ready, lets the reactor wait, and wakes whoever can
//! go on.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe, Location};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::queue::{Queue, TaskId, TaskWaker};
use super::reactor::Reactor;
use super::task::{JoinHandle, Spawned, Task, Tasks};
use super::time::{Elapsed, Sleep, Timers, limited};
use super::traced::Tracer;
use super::{System, system};
use crate::log;
use crate::poller::Poller;
use crate::scheduler::{BATCH, INPUT_GRACE, STOP_GRACE};

// ANCHOR: bounds
/// How many operations one task may try in one turn. Then it has to let others go on, even if it
/// never had to wait.
const SHARE: i32 = 16;

/// The place of the future that [`Executor::block_on`] runs, which is not among the tasks.
const MAIN: TaskId = TaskId { place: u32::MAX, number: 0 };
// ANCHOR_END: bounds

// ANCHOR: executor
/// Runs futures, on the thread that calls it. Only wakers leave that thread.
pub struct Executor<P: Poller = System> {
    shared: Rc<Shared<P>>,
    tasks: Tasks,
    /// The future of `block_on` has been woken.
    main_is_ready: bool,
}

/// What the executor, the handles and the leaf futures share.
struct Shared<P> {
    queue: Arc<Queue>,
    /// Tasks that have no place yet: the executor may be in the middle of another one's turn.
    spawned: RefCell<VecDeque<Spawned>>,
    reactor: RefCell<Reactor<P>>,
    timers: Rc<RefCell<Timers>>,
    /// How many operations the running task may still try in this turn; below 0, it wanted more.
    share: Cell<i32>,
    /// How often a task was stopped by its share since the last batch of turns.
    used_up: Cell<usize>,
    /// How often the reactor has waited.
    rounds: Cell<u32>,
    /// When the stop began.
    stopped: Cell<Option<Instant>>,
    failure: Cell<Option<io::Error>>,
    /// The executor is gone: nobody would run a new task.
    closed: Cell<bool>,
    /// Who watches, if anybody does.
    tracer: Option<Rc<Tracer>>,
}

impl<P> Shared<P> {
    fn next_spawned(&self) -> Option<Spawned> {
        self.spawned.borrow_mut().pop_front()
    }
}

impl<P: Poller> Shared<P> {
    /// Who watches: the compiler knows that it is nobody if the poller is not traced.
    #[inline(always)]
    fn tracer(&self) -> Option<&Rc<Tracer>> {
        if P::TRACED { self.tracer.as_ref() } else { None }
    }
}

/// What tasks know of their executor. It is passed to whoever needs it: there is no "current"
/// executor somewhere in the background.
pub struct Handle<P: Poller = System> {
    shared: Rc<Shared<P>>,
}
// ANCHOR_END: executor

// ANCHOR: spawn
impl<P: Poller> Handle<P> {
    /// Runs `future` as a task of its own, beside the others. It is polled when its turn comes,
    /// for the first time, too.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let (task, handle) = Spawned::new(future);
        if !self.shared.closed.get() {
            self.shared.spawned.borrow_mut().push_back(task);
        }
        handle
    }
    // ANCHOR_END: spawn

    // ANCHOR: time
    /// Waits for `duration`.
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        if let Some(tracer) = self.tracer() {
            tracer.sleeps(Location::caller());
        }
        Sleep::new(Rc::clone(&self.shared.timers), duration)
    }

    /// Waits for `work`, but no longer than `limit`; then it is dropped, wherever it is.
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if the time was over first.
    #[track_caller]
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<P, F> {
        limited(work, self.sleep(limit)) // the time runs from here, and not from the first poll
    }
    // ANCHOR_END: time

    // ANCHOR: stop
    /// Asks for a graceful stop: no new clients, end of input for those who are there, and a few
    /// seconds for everybody to finish.
    pub fn stop(&self) {
        let since = self.shared.stopped.get().unwrap_or_else(Instant::now);
        self.shared.stopped.set(Some(since));
        if let Some(tracer) = self.tracer() {
            tracer.stop();
        }
        self.reactor().stop();
    }

    /// Stops as well, and [`Executor::run`] or [`Executor::block_on`] will return this error.
    pub fn fail(&self, error: io::Error) {
        self.shared.failure.set(Some(error));
        self.stop();
    }
    // ANCHOR_END: stop

    // ANCHOR: borrow
    /// The reactor, borrowed for one call. Wakers are cloned, called and dropped in it. A waker is
    /// foreign code, but it has no way back to here: it may be sent to another thread, so it
    /// cannot own a handle. (One that finds a handle in a thread-local would meet the borrow.)
    #[inline(always)]
    pub(super) fn reactor(&self) -> RefMut<'_, Reactor<P>> {
        self.shared.reactor.borrow_mut()
    }

    /// Who watches, if anybody does.
    #[inline(always)]
    pub(super) fn tracer(&self) -> Option<&Rc<Tracer>> {
        self.shared.tracer()
    }
    // ANCHOR_END: borrow

    // ANCHOR: share
    /// Takes one operation from the share of the running task, and says whether it had one left.
    #[inline(always)]
    pub(super) fn may_go_on(&self) -> bool {
        let left = self.shared.share.get() - 1;
        self.shared.share.set(left);
        left >= 0
    }

    /// The running task has used up its share: it goes on after the others.
    #[cold]
    pub(super) fn goes_on_later(&self, waker: &Waker) {
        self.shared.used_up.update(|count| count + 1);
        waker.wake_by_ref();
    }
    // ANCHOR_END: share

    // ANCHOR: stopping
    /// The number of this round.
    #[inline(always)]
    pub(super) fn current_round(&self) -> u32 {
        self.shared.rounds.get()
    }

    /// Whether somebody has asked for a stop.
    #[inline(always)]
    pub(super) fn stopping(&self) -> bool {
        self.shared.stopped.get().is_some()
    }

    /// Whether the stop began so long ago that no input is taken any more.
    pub(super) fn input_is_over(&self) -> bool {
        self.shared.stopped.get().is_some_and(|since| since.elapsed() >= INPUT_GRACE)
    }
    // ANCHOR_END: stopping
}

// ANCHOR: new
impl Executor {
    /// An executor on the best poller of the system: `epoll(7)` on Linux, `select(2)` elsewhere.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left.
    pub fn new() -> io::Result<Executor> {
        Executor::on(system()?)
    }
}

impl<P: Poller> Executor<P> {
    /// An executor whose reactor asks `poller`.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left.
    pub fn on(poller: P) -> io::Result<Executor<P>> {
        let (queue, bell) = Queue::new()?;
        let timers = Rc::default();
        let trace = poller.trace();
        let tracer = trace.map(|it| Rc::new(Tracer::new(it, &queue, &timers)));
        let shared = Rc::new(Shared {
            queue,
            spawned: RefCell::default(),
            reactor: RefCell::new(Reactor::new(poller, bell)?),
            timers,
            share: Cell::new(SHARE),
            used_up: Cell::default(),
            rounds: Cell::default(),
            stopped: Cell::default(),
            failure: Cell::default(),
            closed: Cell::default(),
            tracer,
        });
        Ok(Executor { shared, tasks: Tasks::default(), main_is_ready: false })
    }

    /// What tasks use to spawn others, to sleep, and to stop.
    pub fn handle(&self) -> Handle<P> {
        Handle { shared: Rc::clone(&self.shared) }
    }
    // ANCHOR_END: new

    // ANCHOR: run
    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`] is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`], that of a poller that cannot go on, or
    /// `Deadlock` if tasks are left that nobody can ever wake.
    pub fn run(&mut self) -> io::Result<()> {
        let mut batch = vec![];
        while !self.stop_is_over() && self.round(&mut batch, None)? {}
        self.abandon();
        self.shared.failure.take().map_or(Ok(()), Err)
    }
    // ANCHOR_END: run

    // ANCHOR: block_on
    /// Runs `future` to its end, and the tasks beside it for as long as that takes.
    ///
    /// # Errors
    ///
    /// As [`run`](Executor::run), also if `future` ends all the same; and `Interrupted` if a stop
    /// was over before.
    pub fn block_on<F: Future>(&mut self, future: F) -> io::Result<F::Output> {
        let ended = self.run_until(future);
        self.shared.failure.take().map_or(ended, Err)
    }

    fn run_until<F: Future>(&mut self, future: F) -> io::Result<F::Output> {
        let mut future = pin!(future);
        let inner = TaskWaker::new(MAIN, Arc::clone(&self.shared.queue));
        let waker = Waker::from(Arc::clone(&inner));
        self.main_is_ready = true;
        let mut batch = vec![];
        while !self.stop_is_over() {
            if mem::take(&mut self.main_is_ready) {
                self.shared.share.set(SHARE);
                inner.about_to_poll();
                let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(output) = poll {
                    return Ok(output);
                }
            }
            self.round(&mut batch, Some(&inner))?;
        }
        Err(io::ErrorKind::Interrupted.into())
    }
    // ANCHOR_END: block_on

    // ANCHOR: round
    /// One round: whoever is ready has a turn, then the reactor waits and wakes those whose sockets
    /// are ready, and the timers wake those whose time has come. False if nobody is left.
    fn round(
        &mut self,
        batch: &mut Vec<TaskId>,
        main: Option<&Arc<TaskWaker>>,
    ) -> io::Result<bool> {
        let mut timeout = Some(Duration::ZERO);
        if self.run_ready(batch) {
            if main.is_none() && self.tasks.count() == 0 {
                return Ok(false);
            }
            self.check_that_somebody_can_be_woken(main)?;
            timeout = self.timeout();
        }
        self.trace_state();
        self.shared.rounds.update(|rounds| rounds.wrapping_add(1));
        self.shared.reactor.borrow_mut().wait(timeout, &self.shared.queue)?;
        self.shared.timers.borrow_mut().wake_due();
        Ok(true)
    }
    // ANCHOR_END: round

    // ANCHOR: run_ready
    /// Polls each task that is ready, and those that become ready meanwhile; but not for ever,
    /// because there may be something new on the sockets. Whether all of them wait now, and the
    /// executor may sleep.
    #[inline(always)]
    fn run_ready(&mut self, batch: &mut Vec<TaskId>) -> bool {
        let mut turns = 0;
        while turns < BATCH && !self.main_is_ready {
            self.give_places();
            if !self.shared.queue.take_or_fall_asleep(batch) {
                return true;
            }
            self.trace_batch(batch);
            batch.iter().for_each(|id| self.turn(*id));
            // A turn that has used up its share counts for as many as its operations.
            turns += batch.len() + self.shared.used_up.take() * (SHARE as usize - 1);
            batch.clear();
        }
        false
    }

    /// One task's turn. If it panics it ends there, with a message, and takes no other with it.
    #[inline(always)]
    fn turn(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(id) else {
            self.main_is_ready |= id == MAIN;
            return; // or it has finished, and the waker did not know
        };
        self.shared.share.set(SHARE);
        // Nobody looks into a task that has panicked; it is only dropped.
        match panic::catch_unwind(AssertUnwindSafe(|| task.poll())) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(())) => self.end(id.place as usize),
            Err(panic) => {
                let why = log::panic_message(&*panic);
                log::problem(format_args!("{task:?} panicked and was ended: {why}"));
                self.end(id.place as usize);
            }
        }
    }
    // ANCHOR_END: run_ready

    // ANCHOR: places
    /// The tasks that were spawned since the last time get their places.
    #[inline(always)]
    fn give_places(&mut self) {
        while let Some(mut task) = self.shared.next_spawned() {
            if let Some(tracer) = self.shared.tracer() {
                task = task.followed(tracer, self.tasks.next_number());
            }
            self.tasks.add(task, &self.shared.queue);
        }
        if let Some(tracer) = self.shared.tracer() {
            tracer.look();
        }
    }
    // ANCHOR_END: places

    // ANCHOR: end
    /// A task will not be polled again. What it owns is closed.
    fn end(&mut self, place: usize) {
        let task = self.tasks.remove(place);
        // What a task owns may panic when it is dropped.
        if panic::catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
            log::problem("a task panicked while it was dropped");
        }
    }
    // ANCHOR_END: end

    // ANCHOR: timeout
    fn tasks_left(&self) -> usize {
        self.tasks.count() + self.shared.spawned.borrow().len()
    }

    /// How long the reactor may wait; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        let timer = self.shared.timers.borrow().next();
        let stop = self.stopped().map(|since| since + STOP_GRACE);
        let until = match (timer, stop) {
            (Some(timer), Some(stop)) => timer.min(stop),
            (one, other) => one.or(other)?,
        };
        Some(until.saturating_duration_since(Instant::now()))
    }
    // ANCHOR_END: timeout

    // ANCHOR: deadlock
    /// A task waits for ever if no waker of it is left but its own. If that is so for all of
    /// them, the executor would, too.
    #[inline(always)]
    fn check_that_somebody_can_be_woken(
        &self,
        main: Option<&Arc<TaskWaker>>,
    ) -> io::Result<()> {
        let main = main.is_some_and(|inner| Arc::strong_count(inner) > 2);
        if main || self.tasks.iter().any(Task::can_be_woken) {
            return Ok(());
        }
        // Another thread has given up the last waker. Has it used it before?
        fence(Ordering::Acquire);
        if !self.shared.queue.is_empty() {
            return Ok(()); // it has, and so it has rung the bell: the reactor will not sleep
        }
        let why =
            format!("{} tasks wait for what nobody can wake them for", self.tasks_left());
        Err(io::Error::new(io::ErrorKind::Deadlock, why))
    }
    // ANCHOR_END: deadlock

    // ANCHOR: trace
    /// For whoever watches: the tasks of this batch have been taken off the ready queue.
    #[inline(always)]
    fn trace_batch(&self, batch: &[TaskId]) {
        if let Some(tracer) = self.shared.tracer() {
            tracer.taken(batch);
        }
    }

    /// For whoever watches: where all tasks are, now that none runs.
    #[inline(always)]
    fn trace_state(&self) {
        if let Some(tracer) = self.shared.tracer() {
            tracer.state(self.shared.reactor.borrow().sources());
        }
    }
    // ANCHOR_END: trace

    // ANCHOR: stop_is_over
    fn stopped(&self) -> Option<Instant> {
        self.shared.stopped.get()
    }

    fn stop_is_over(&self) -> bool {
        self.stopped().is_some_and(|since| since.elapsed() >= STOP_GRACE)
    }
    // ANCHOR_END: stop_is_over
}

// ANCHOR: abandon
impl<P: Poller> Executor<P> {
    /// Ends the tasks that are left. What they own is closed.
    fn abandon(&mut self) {
        while self.tasks_left() > 0 {
            // A task that is dropped may use its handle: nothing must be borrowed then.
            self.give_places();
            (0..self.tasks.places()).for_each(|place| self.end(place));
        }
    }
}

impl<P: Poller> Drop for Executor<P> {
    fn drop(&mut self) {
        // Tasks own handles, a handle owns what is shared, and that owns the tasks: a circle that
        // would keep itself alive.
        self.shared.closed.set(true);
        self.abandon();
    }
}
// ANCHOR_END: abandon

// ANCHOR: clone
impl<P: Poller> Clone for Handle<P> {
    fn clone(&self) -> Handle<P> {
        Handle { shared: Rc::clone(&self.shared) }
    }
}

impl<P: Poller> fmt::Debug for Handle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

impl<P: Poller> fmt::Debug for Executor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("tasks", &self.tasks.count())
            .finish_non_exhaustive()
    }
}
// ANCHOR_END: clone
