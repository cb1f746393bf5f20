//! Tempting: the future has been polled, and what it returned is not needed.
//! Told: and its task is still there
SOLVED
// NEXT
            task.waker.queued.store(false, Ordering::Release);
            let waker = Waker::from(Arc::clone(&task.waker));
            let _ = task.future.as_mut().poll(&mut Context::from_waker(&waker));
