//! Tempting: the last line of the thread gives the place back.
//! Told: the handler panicked, and its place did not come back
SOLVED
// NEXT
    if !thread::panicking() {
        *self.free.lock().unwrap() += 1;
    }
