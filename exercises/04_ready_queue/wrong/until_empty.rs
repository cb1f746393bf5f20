//! Tempting: run what is ready, until nothing is.
//! Told: would keep everybody else out
SOLVED
// NEXT
        while self.step() {}
