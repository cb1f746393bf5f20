//! Tempting: sleep until all are due, and wake them together.
//! Told: who would be woken too late?
SOLVED
// NEXT
SOLVED
// NEXT
        let (until, _) = self.sleeping.last()?;
        Some(until.saturating_duration_since(now))
