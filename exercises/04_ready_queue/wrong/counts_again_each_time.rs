//! Tempting: ask in the loop's condition how many are there.
//! Told: count them once, before the first step
SOLVED
// NEXT
        let mut taken = 0;
        while taken < self.len().max(BATCH) && self.step() {
            taken += 1;
        }
