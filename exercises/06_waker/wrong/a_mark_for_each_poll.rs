//! Tempting: each poll gets a waker that is new, with nothing left over from the time before.
//! Told: both wake the same task, and it is on the queue once if they ask the same mark
SOLVED
// NEXT
            task.waker.queued.swap(false, Ordering::AcqRel);
            let queue = Arc::clone(&self.queue);
            task.waker = Arc::new(TaskWaker { id, queue, queued: AtomicBool::new(false) });
            let waker = Waker::from(Arc::clone(&task.waker));
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(()) = task.future.as_mut().poll(&mut context) {
                self.tasks.remove(&id);
            }
