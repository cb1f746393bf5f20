//! Tempting: what is cancelled is under way, so it must be there.
//! Told: The task cannot know that
SOLVED
// NEXT
        self.under_way.get_mut(&key).unwrap().task = None;
