//! Tempting: take and run it in one expression; the borrow lives as long as the `if let`.
//! Told: how long does the `borrow_mut` in your `step` live?
        let mut queue = self.queue.borrow_mut();
        match queue.pop_front() {
            Some(step) => {
                step(self);
                true
            }
            None => false,
        }
