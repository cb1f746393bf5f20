//! A waker: how a future says that it can go on, and who hears it.
//!
//! The page of this exercise: chapters/exercises/06_waker.md

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};

// Like those of the standard library; a check can hold up a thread that uses them.
use exercises::steps::{AtomicBool, Mutex};

/// A task's number.
pub type Id = usize;

/// The numbers of the tasks that can go on, the oldest first.
type Queue = Arc<Mutex<VecDeque<Id>>>;

/// What a future's waker is made of.
struct TaskWaker {
    id: Id,
    queue: Queue,
    /// The task is on the queue.
    queued: AtomicBool,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Puts the task onto the queue, unless it is there already.
    fn wake_by_ref(self: &Arc<Self>) {
        todo!("onto the queue, once")
    }
}

/// A future that is run as a task.
struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Arc<TaskWaker>,
}

/// Runs futures, each when it has been woken.
#[derive(Default)]
pub struct Executor {
    queue: Queue,
    tasks: BTreeMap<Id, Task>,
    submitted: usize,
}

impl Executor {
    /// Adds a task, and wakes it: it is polled for the first time by [`run_ready`].
    ///
    /// [`run_ready`]: Executor::run_ready
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) -> Id {
        self.submitted += 1;
        let (id, queue) = (self.submitted, Arc::clone(&self.queue));
        let waker = Arc::new(TaskWaker { id, queue, queued: AtomicBool::new(false) });
        waker.wake_by_ref();
        self.tasks.insert(id, Task { future: Box::pin(future), waker });
        id
    }

    /// Polls the tasks that are on the queue now; who is woken in the meantime has to wait for the
    /// next call. Returns how many were polled.
    pub fn run_ready(&mut self) -> usize {
        let mut queue = self.queue.lock().expect("nobody panics with it");
        let ready = std::mem::take(&mut *queue);
        drop(queue); // who is polled may wake somebody
        let mut polled = 0;
        for id in ready {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            polled += 1;
            todo!("off the queue; poll it with its waker; forget it when it is done")
        }
        polled
    }

    /// How many tasks have not finished.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }
}
