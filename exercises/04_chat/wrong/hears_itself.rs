//! Tempting: everybody in the room hears it.
//! Told: not its own words
SOLVED
// NEXT
        let _ = from;
        for member in self.members.borrow().iter() {
            self.tell(member, line);
        }
