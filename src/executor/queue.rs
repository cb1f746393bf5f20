//! The ready queue: the tasks that can go on, put there by their wakers.
//!
//! In stage 04 only the scheduler puts tasks onto the ready queue. Here anybody may do it who
//! holds a task's [`Waker`](std::task::Waker): another task, a timer, another thread. So the queue
//! is behind a mutex, and beside it is a bell, for the case that the executor sleeps.

use std::io::{self, Write};
use std::mem;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use crate::limit::cannot;

// ANCHOR: task_id
/// Which task: where it is kept, and a number that no other task has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskId {
    /// Its place among the tasks, which another one may have after it.
    pub place: u32,
    /// Its number: 1 for the first, and none is used twice before 4 billion others.
    pub number: u32,
}
// ANCHOR_END: task_id

// ANCHOR: queue
/// The tasks that can go on, in the order in which they were woken.
#[derive(Debug)]
pub struct Queue {
    ready: Mutex<Vec<TaskId>>,
    /// The executor has looked, found nothing, and sleeps or is about to. It becomes true only
    /// while the lock is held.
    asleep: AtomicBool,
    /// What is written here ends the executor's sleep.
    bell: UnixStream,
}

impl Queue {
    /// An empty queue, and the other end of its bell: readable as soon as it has been rung.
    ///
    /// # Errors
    ///
    /// Those of `socketpair(2)`: there are no descriptors left.
    pub fn new() -> io::Result<(Arc<Queue>, UnixStream)> {
        let (bell, other_end) =
            UnixStream::pair().map_err(|error| cannot("prepare to be woken", error))?;
        bell.set_nonblocking(true)?;
        let (ready, asleep) = (Mutex::default(), AtomicBool::new(false));
        Ok((Arc::new(Queue { ready, asleep, bell }), other_end))
    }

    /// Adds a task, from any thread, and sees to it that the executor finds it.
    #[inline(always)]
    pub fn push(&self, task: &TaskId) {
        self.ready().push(*task);
        // If the executor took the lock before this thread, and found nothing, this is true.
        if self.asleep.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Moves all tasks to `batch`, which is empty, and returns true. If there are none, it returns
    /// false, and from now on whoever adds one rings the bell. Looking and lying down are one
    /// step: nobody can come between.
    #[inline(always)]
    pub fn take_or_fall_asleep(&self, batch: &mut Vec<TaskId>) -> bool {
        let mut ready = self.ready();
        if ready.is_empty() {
            self.asleep.store(true, Ordering::Relaxed);
            return false;
        }
        mem::swap(&mut *ready, batch);
        true
    }

    /// The executor looks at the queue again by itself.
    #[inline(always)]
    pub fn wake_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// The ready tasks from place `first` on, for traces.
    pub(super) fn since(&self, first: usize) -> Vec<TaskId> {
        self.ready()[first..].to_vec()
    }

    /// Whether no task is ready.
    pub fn is_empty(&self) -> bool {
        self.ready().is_empty()
    }

    #[cold]
    fn ring(&self) {
        if !self.asleep.swap(false, Ordering::Relaxed) {
            return; // somebody else was faster
        }
        // If there is no room, the bell has been rung before, and that is as good.
        let _ = (&self.bell).write(&[1]);
    }

    #[inline(always)]
    fn ready(&self) -> MutexGuard<'_, Vec<TaskId>> {
        // Nothing here panics half-way, so what is behind the lock is whole.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
// ANCHOR_END: queue

// ANCHOR: waker
/// What is inside a task's waker. Whoever has a clone of that waker, on whatever thread, can wake
/// the task, even when it has finished long ago: it owns nothing of the task but its number.
#[derive(Debug)]
pub struct TaskWaker {
    task: TaskId,
    /// The task is on the queue, or on its way to the next poll.
    queued: AtomicBool,
    queue: Arc<Queue>,
}

impl TaskWaker {
    /// A waker that will put `task` onto `queue`.
    pub fn new(task: TaskId, queue: Arc<Queue>) -> Arc<TaskWaker> {
        Arc::new(TaskWaker { task, queued: AtomicBool::new(false), queue })
    }

    /// The executor is going to poll the task now: who wakes it from here on, puts it onto the
    /// queue once more. *Before* the poll, because what happens in the meantime must not be lost.
    ///
    /// Whoever found the task on the queue already, and so did nothing, had written something
    /// before that the task should see. This exchange reads what theirs has written: so the poll
    /// does see it. (A plain store would not promise that.)
    #[inline]
    pub fn about_to_poll(&self) {
        self.queued.swap(false, Ordering::AcqRel);
    }
}

impl Wake for TaskWaker {
    #[inline]
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline]
    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.queue.push(&self.task);
        }
    }
}
// ANCHOR_END: waker
