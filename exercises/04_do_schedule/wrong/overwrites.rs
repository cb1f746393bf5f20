//! Tempting: the article does so, and a map takes it.
//! Told: nothing will ever wake it
SOLVED
// NEXT
        self.read_waiting.insert(fd, (event, task));
