//! Tempting: `run_ready` has taken the task off the queue already.
//! Told: if the task still counts as queued, from the time before
SOLVED
// NEXT
            let waker = Waker::from(Arc::clone(&task.waker));
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(()) = task.future.as_mut().poll(&mut context) {
                self.tasks.remove(&id);
            }
