//! The executor: it polls the tasks that are ready, and lets the reactor wait until others are.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Handle;
use super::handle::Shared;
use super::queue::{Queue, TaskWaker};
use super::reactor::Reactor;
use super::task::Task;
use super::tracer::Tracer;
use crate::log;
use crate::net;
use crate::scheduler::poller::Poller;
use crate::trace::{Outcome, Step, TaskId, Trace};

/// How many operations one task may do in one turn. Then it has to let others go on, even if it
/// never had to wait.
const SHARE: u32 = 16;

/// Runs futures, on the thread that calls it. Only wakers leave that thread.
pub struct Executor {
    shared: Rc<Shared>,
}

impl Executor {
    /// An executor without tasks, whose reactor asks `poller` what is ready, and which reports
    /// each step to `trace`.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left.
    pub fn new(
        poller: impl Poller + 'static,
        trace: Option<Box<dyn Trace>>,
    ) -> io::Result<Executor> {
        let (queue, bell) = Queue::new()?;
        let shared = Rc::new(Shared {
            queue,
            tasks: RefCell::default(),
            spawned: Cell::default(),
            running: Cell::default(),
            share: Cell::default(),
            reactor: RefCell::new(Reactor::new(Box::new(poller), bell)?),
            timers: RefCell::default(),
            stop: Cell::default(),
            failure: Cell::default(),
            tracer: trace.map(|trace| RefCell::new(Tracer::new(trace))),
        });
        Ok(Executor { shared })
    }

    /// What tasks use to spawn others, to sleep, and to stop.
    pub fn handle(&self) -> Handle {
        Handle { shared: Rc::clone(&self.shared) }
    }

    /// Runs until every task has finished, or, after a [stop](Handle::stop), until
    /// [`STOP_GRACE`](crate::scheduler::stop::STOP_GRACE) is over.
    ///
    /// # Errors
    ///
    /// The error that a task gave to [`Handle::fail`], that of a poller that cannot go on, or
    /// `Deadlock` if tasks are left that nothing can ever wake.
    pub fn run(&mut self) -> io::Result<()> {
        let ended = self.run_until(|shared| shared.tasks.borrow().is_empty());
        self.abandon();
        self.shared.failure.take().map_or(ended, Err)
    }

    /// Runs `future` as a task, and the others beside it, until it has finished.
    ///
    /// # Errors
    ///
    /// As [`run`](Executor::run), also if `future` finishes all the same; and `Interrupted` if it
    /// does not finish, because it panics or because a stop is over before.
    pub fn block_on<F: Future + 'static>(&mut self, future: F) -> io::Result<F::Output> {
        let task = self.handle().spawn(future);
        let ended = self.run_until(|_| task.has_ended());
        self.shared.failure.take().map_or(ended, Err)?;
        task.take_result().ok_or(io::ErrorKind::Interrupted.into())
    }

    // ANCHOR: run
    /// The tasks that are ready have their turns, then the reactor waits and wakes those whose
    /// sockets are ready, and the timers wake those whose time has come.
    fn run_until(&mut self, is_done: impl Fn(&Shared) -> bool) -> io::Result<()> {
        let mut batch = vec![];
        loop {
            self.run_ready(&mut batch);
            if is_done(&self.shared) || self.shared.stop.get().is_over() {
                return Ok(());
            }
            self.wait()?;
            self.shared.timers.borrow_mut().wake_due(net::now());
        }
    }
    // ANCHOR_END: run

    /// Gives each task that is ready its turn. A task that becomes ready in the meantime has its
    /// turn after the next look at the sockets.
    fn run_ready(&mut self, batch: &mut Vec<Arc<TaskWaker>>) {
        let shared = &self.shared;
        shared.queue.take(batch);
        shared.report(|tracer| {
            let tasks: Vec<TaskId> = batch.iter().map(|waker| waker.task).collect();
            tracer.taken(&tasks, &shared.tasks.borrow());
        });
        for waker in batch.drain(..) {
            self.run_task(waker);
        }
    }

    /// One task's turn. If the task panics it ends there, with a message; all others go on.
    fn run_task(&mut self, waker: Arc<TaskWaker>) {
        let (shared, id) = (&self.shared, waker.task);
        let Some(task) = shared.tasks.borrow().get(&id).cloned() else {
            return; // it has finished, and its waker did not know
        };
        shared.running.set(id);
        shared.share.set(SHARE);
        shared.trace(|| Step::Resume { task: id, with: Outcome::Nothing });
        // ANCHOR: panic
        // Nothing looks into a task that has panicked; it is only dropped.
        match catch_unwind(AssertUnwindSafe(|| task.poll(waker))) {
            Ok(Poll::Pending) => shared.report_pending(id),
            Ok(Poll::Ready(())) => self.finish(task, false),
            Err(panic) => {
                let (name, why) = (task.name, log::panic_message(&*panic));
                log::problem(format_args!(
                    "task {id} ({name}) panicked and was ended: {why}"
                ));
                self.finish(task, true);
            }
        }
        // ANCHOR_END: panic
        self.shared.running.set(0);
        self.shared.report_queue();
    }

    /// Ends a task. What it owns is closed, and may panic (once more) when it is dropped.
    fn finish(&self, task: Rc<Task>, mut panicked: bool) {
        let id = task.id;
        self.shared.tasks.borrow_mut().remove(&id);
        self.shared.queue.forget(id);
        if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
            log::problem(format_args!("task {id} panicked while it was dropped"));
            panicked = true;
        }
        self.shared.trace(|| Step::Finish { task: id, panicked });
    }

    /// Sleeps until a socket is ready, the bell rings, or the next timer is due.
    fn wait(&mut self) -> io::Result<()> {
        let mut timeout = Some(Duration::ZERO);
        if self.shared.queue.fall_asleep() {
            self.check_that_a_task_can_be_woken()?;
            timeout = self.timeout();
        }
        self.shared.report_state();
        let mut reactor = self.shared.reactor.borrow_mut();
        let call = reactor.poller.call();
        self.shared.trace(|| {
            let asked = reactor.poller.asked();
            Step::Enter { call, asked, timeout }
        });
        reactor.wait(timeout, &self.shared.queue)?;
        self.shared.trace(|| Step::Leave { call, ready: Some(&reactor.readiness) });
        Ok(())
    }

    /// How long the reactor may sleep; `None` is for ever.
    fn timeout(&self) -> Option<Duration> {
        let timer = self.shared.timers.borrow().next();
        let until = timer.into_iter().chain(self.shared.stop.get().deadline()).min()?;
        Some(until.saturating_duration_since(net::now()))
    }

    /// A task waits for ever if no waker of it is left. If that is so for all tasks, the executor
    /// would wait for ever, too.
    fn check_that_a_task_can_be_woken(&self) -> io::Result<()> {
        if self.shared.queue.can_wake_any() {
            return Ok(());
        }
        let tasks = self.shared.tasks.borrow().len();
        let why = format!("no waker is left of the tasks that wait ({tasks})");
        Err(io::Error::new(io::ErrorKind::Deadlock, why))
    }

    /// Ends the tasks that are left. A task that is dropped may spawn another one.
    fn abandon(&mut self) {
        loop {
            let first = self.shared.tasks.borrow_mut().pop_first();
            let Some((_, task)) = first else { break };
            self.finish(task, false);
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        // Tasks own handles, a handle owns what is shared, and that owns the tasks: a circle that
        // would keep itself alive.
        self.shared.queue.close();
        self.abandon();
    }
}
