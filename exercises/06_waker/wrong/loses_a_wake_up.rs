//! Tempting: the task has been polled, so now it is off the queue.
//! Told: is lost if the task counts as queued until then
SOLVED
// NEXT
            let waker = Waker::from(Arc::clone(&task.waker));
            let mut context = Context::from_waker(&waker);
            let done = task.future.as_mut().poll(&mut context).is_ready();
            task.waker.queued.store(false, Ordering::Release);
            if done {
                self.tasks.remove(&id);
            }
