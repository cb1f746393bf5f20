//! Tempting: an entry without bits asks for nothing, so it may stay.
//! Told: also for one without bits
SOLVED
// NEXT
        for entry in self.list.iter_mut().filter(|entry| entry.fd == fd) {
            entry.events &= !bit(direction);
        }
