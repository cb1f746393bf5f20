//! Tempting: the descriptor is what the event is about.
//! Told: was already on its way, must not reach the second
    open: std::collections::BTreeSet<RawFd>,
// NEXT
        self.open.insert(fd);
        fd as Key
// NEXT
        self.open.remove(&fd);
// NEXT
        self.open.get(&(key as RawFd)).copied()
