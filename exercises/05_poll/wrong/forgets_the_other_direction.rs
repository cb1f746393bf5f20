//! Tempting: nobody waits any more, so drop the entry.
//! Told: the reader of the same descriptor still does
SOLVED
// NEXT
        self.list.retain(|entry| entry.fd != fd);
