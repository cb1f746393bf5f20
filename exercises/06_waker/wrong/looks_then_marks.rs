//! Tempting: look at the mark; if it is not set, set it and queue the task.
//! Told: ask and mark in one step
        if !self.queued.load(Ordering::Acquire) {
            self.queued.store(true, Ordering::Release);
            self.queue.lock().unwrap().push_back(self.id);
        }
