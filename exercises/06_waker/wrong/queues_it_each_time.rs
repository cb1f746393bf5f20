//! Tempting: a wake-up puts the task onto the queue, that is what it is for.
//! Told: One place on the queue is enough
        self.queue.lock().unwrap().push_back(self.id);
