//! Tempting: a task is late when its moment is before now.
//! Told: turns round and round
SOLVED
// NEXT
SOLVED
// NEXT
SOLVED
// NEXT
        let (until, task) = *self.sleeping.first()?;
        if until >= now {
            return None;
        }
        self.sleeping.pop_first();
        Some(task)
