//! Tempting: a round is what was ready when it began.
//! Told: it is not worth one for each step
SOLVED
// NEXT
        for _ in 0..self.len() {
            self.step();
        }
