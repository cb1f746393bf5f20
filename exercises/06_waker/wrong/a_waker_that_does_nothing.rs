//! Tempting: `poll` wants a waker, and the standard library has one.
//! Told: does its waker reach the queue?
SOLVED
// NEXT
            task.waker.queued.store(false, Ordering::Release);
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(()) = task.future.as_mut().poll(&mut context) {
                self.tasks.remove(&id);
            }
