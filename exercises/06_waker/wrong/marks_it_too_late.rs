//! Tempting: the queue itself says whether the task is there; the mark is set in the end.
//! Told: is not on the queue, for ever
        if !self.queued.load(Ordering::Acquire) {
            let mut queue = self.queue.lock().unwrap();
            if !queue.contains(&self.id) {
                queue.push_back(self.id);
            }
            drop(queue);
            self.queued.store(true, Ordering::Release);
        }
