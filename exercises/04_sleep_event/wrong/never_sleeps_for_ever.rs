//! Tempting: without timers there is no time to wait.
//! Told: in a loop, that is a busy one
SOLVED
// NEXT
SOLVED
// NEXT
        let first = self.sleeping.first();
        Some(first.map_or(Duration::ZERO, |(until, _)| until.saturating_duration_since(now)))
