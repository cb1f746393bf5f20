//! The executor: it polls the tasks that are ready, lets the reactor wait, and wakes whoever can
//! go on.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::both::{Either, race};
use super::queue::{Queue, TaskId, TaskWaker};
use super::reactor::Reactor;
use super::task::{JoinHandle, Task};
use super::time::{Elapsed, Sleep, Timers};
use crate::log;
use crate::net::later;
use crate::scheduler::poller::Poller;
use crate::scheduler::stop::Stop;

/// How many operations one task may do in one turn. Then it has to let others go on, even if it
/// never had to wait.
const SHARE: u32 = 16;

/// The number of the future that [`Executor::block_on`] runs, which is not among the tasks.
const MAIN: TaskId = 0;

/// Runs futures, on the thread that calls it. Only wakers leave that thread.
pub struct Executor {
    shared: Rc<Shared>,
}

/// What the executor, the handles and the leaf futures share.
struct Shared {
    queue: Arc<Queue>,
    /// The tasks that have not finished, but for the one that runs.
    tasks: RefCell<HashMap<TaskId, Task>>,
    /// How many tasks there have been.
    numbers: Cell<TaskId>,
    reactor: RefCell<Reactor>,
    timers: RefCell<Timers>,
    /// How many operations the running task may still do in this turn.
    share: Cell<u32>,
    stop: Cell<Stop>,
    failure: Cell<Option<io::Error>>,
    /// The executor is gone: nobody would run a new task.
    closed: Cell<bool>,
}

/// What tasks know of their executor. It is passed to whoever needs it: there is no "current"
/// executor somewhere in the background.
#[derive(Clone)]
pub struct Handle {
    shared: Rc<Shared>,
}

impl Handle {
    /// Runs `future` as a task of its own, beside the others. It is polled when its turn comes,
    /// for the first time, too.
    pub fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        let Shared { numbers, queue, tasks, closed, .. } = &*self.shared;
        numbers.update(|number| number + 1);
        let (task, handle) = Task::new(numbers.get(), future, queue);
        if !closed.get() {
            tasks.borrow_mut().insert(numbers.get(), task);
        }
        handle
    }

    /// Waits for `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep { handle: self.clone(), until: later(duration), number: None }
    }

    /// Waits for `work`, but no longer than `limit`; then it is dropped, wherever it is.
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if the time was over first.
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
        let sleep = self.sleep(limit); // the time runs from here, and not from the first poll
        async move {
            match race(work, sleep).await {
                Either::First(output) => Ok(output),
                Either::Second(()) => Err(Elapsed),
            }
        }
    }

    /// Asks for a graceful stop: no new clients, end of input for those who are there, and a few
    /// seconds for everybody to finish.
    pub fn stop(&self) {
        let mut stop = self.shared.stop.get();
        if !stop.has_begun() {
            stop.begin();
            self.shared.stop.set(stop);
            self.reactor().stop();
        }
    }

    /// Stops as well, and [`Executor::run`] or [`Executor::block_on`] will return this error.
    pub fn fail(&self, error: io::Error) {
        self.shared.failure.set(Some(error));
        self.stop();
    }

    /// The reactor, borrowed for one call. A waker is foreign code, but it has no way back to
    /// here: it may be sent to another thread, so it cannot own a handle.
    pub(super) fn reactor(&self) -> RefMut<'_, Reactor> {
        self.shared.reactor.borrow_mut()
    }

    pub(super) fn timers(&self) -> RefMut<'_, Timers> {
        self.shared.timers.borrow_mut()
    }

    /// Takes one operation from the share of the running task, and says whether it had one left.
    pub(super) fn may_go_on(&self) -> bool {
        let left = self.shared.share.get();
        self.shared.share.set(left.saturating_sub(1));
        left > 0
    }

    /// Whether somebody has asked for a stop.
    pub(super) fn stopping(&self) -> bool {
        self.shared.stop.get().has_begun()
    }

    /// Whether the stop began so long ago that no input is taken any more.
    pub(super) fn input_is_over(&self) -> bool {
        self.shared.stop.get().input_is_over()
    }
}

impl Executor {
    /// An executor whose reactor asks `poller`.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left.
    pub fn new(poller: impl Poller + 'static) -> io::Result<Executor> {
        let (queue, bell) = Queue::new()?;
        let shared = Rc::new(Shared {
            queue,
            tasks: RefCell::default(),
            numbers: Cell::default(),
            reactor: RefCell::new(Reactor::new(Box::new(poller), bell)?),
            timers: RefCell::default(),
            share: Cell::new(SHARE),
            stop: Cell::default(),
            failure: Cell::default(),
            closed: Cell::default(),
        });
        Ok(Executor { shared })
    }

    /// What tasks use to spawn others, to sleep, and to stop.
    pub fn handle(&self) -> Handle {
        Handle { shared: Rc::clone(&self.shared) }
    }

    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`] is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`], that of a poller that cannot go on, or
    /// `Deadlock` if tasks are left that nobody can ever wake.
    pub fn run(&mut self) -> io::Result<()> {
        self.rounds(None)?;
        self.abandon();
        self.shared.failure.take().map_or(Ok(()), Err)
    }

    /// Runs `future` to its end, and the tasks beside it for as long as that takes.
    ///
    /// # Errors
    ///
    /// As [`run`](Executor::run), also if `future` ends all the same; and `Interrupted` if a stop
    /// was over before.
    pub fn block_on<F: Future>(&mut self, future: F) -> io::Result<F::Output> {
        let output = Cell::new(None);
        let future = pin!(async { output.set(Some(future.await)) });
        let ended = self.rounds(Some(future));
        self.shared.failure.take().map_or(ended, Err)?;
        output.take().ok_or(io::ErrorKind::Interrupted.into())
    }

    /// Round after round: whoever is ready has a turn, then the reactor waits and wakes those whose
    /// sockets are ready, and the timers wake those whose time has come.
    fn rounds(
        &mut self,
        mut main: Option<Pin<&mut dyn Future<Output = ()>>>,
    ) -> io::Result<()> {
        let inner = TaskWaker::new(MAIN, Arc::clone(&self.shared.queue));
        let waker = Waker::from(Arc::clone(&inner));
        if main.is_some() {
            waker.wake_by_ref();
        }
        while !self.stop_is_over() {
            for id in self.shared.queue.take() {
                self.shared.share.set(SHARE);
                let Some(main) = main.as_mut().filter(|_| id == MAIN) else {
                    self.turn(id);
                    continue;
                };
                inner.about_to_poll();
                if main.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    return Ok(());
                }
            }
            if main.is_none() && self.shared.tasks.borrow().is_empty() {
                break;
            }
            let timeout = if self.shared.queue.fall_asleep() {
                self.check_that_somebody_can_be_woken(&inner)?;
                self.timeout()
            } else {
                Some(Duration::ZERO)
            };
            self.shared.reactor.borrow_mut().wait(timeout, &self.shared.queue)?;
            self.shared.timers.borrow_mut().wake_due();
        }
        Ok(())
    }

    /// One task's turn. If it panics it ends there, with a message, and takes no other with it.
    fn turn(&mut self, id: TaskId) {
        let Some(mut task) = self.shared.tasks.borrow_mut().remove(&id) else {
            return; // it has finished, and the waker did not know
        };
        // Nobody looks into a task that has panicked; it is only dropped.
        match catch_unwind(AssertUnwindSafe(|| task.poll())) {
            Ok(Poll::Pending) => {
                self.shared.tasks.borrow_mut().insert(id, task);
                return;
            }
            Ok(Poll::Ready(())) => {}
            Err(panic) => {
                let why = log::panic_message(&*panic);
                log::problem(format_args!("{task:?} panicked and was ended: {why}"));
            }
        }
        end(task);
    }

    /// How long the reactor may wait; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        let timer = self.shared.timers.borrow().next();
        let stop = self.shared.stop.get().deadline();
        let until = timer.into_iter().chain(stop).min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// A task waits for ever if no waker of it is left but its own. If that is so for all of
    /// them, the executor would, too.
    fn check_that_somebody_can_be_woken(&self, main: &Arc<TaskWaker>) -> io::Result<()> {
        let tasks = self.shared.tasks.borrow();
        if Arc::strong_count(main) > 2 || tasks.values().any(Task::can_be_woken) {
            return Ok(());
        }
        // Another thread may have used the last waker since: then the bell has been rung.
        if !self.shared.queue.fall_asleep() {
            return Ok(());
        }
        let why = format!("{} tasks wait for what nobody can wake them for", tasks.len());
        Err(io::Error::new(io::ErrorKind::Deadlock, why))
    }

    fn stop_is_over(&self) -> bool {
        self.shared.stop.get().is_over()
    }

    /// Ends the tasks that are left. What they own is closed.
    fn abandon(&mut self) {
        loop {
            // A task that is dropped may use its handle: nothing must be borrowed then.
            let tasks = self.shared.tasks.take();
            if tasks.is_empty() {
                break;
            }
            tasks.into_values().for_each(end);
        }
    }
}

/// A task will not be polled again. What it owns is closed, and may panic when it is dropped.
fn end(task: Task) {
    if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
        log::problem("a task panicked while it was dropped");
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // Tasks own handles, a handle owns what is shared, and that owns the tasks: a circle that
        // would keep itself alive.
        self.shared.closed.set(true);
        self.abandon();
    }
}
