//! Tempting: a task that waits no more says so with `unwatch`.
//! Told: and has not asked again
SOLVED
// NEXT
SOLVED
// NEXT
        poll(&mut self.list, timeout)?;
        for entry in &self.list {
            for direction in [Direction::Read, Direction::Write] {
                let asked = entry.events & bit(direction) != 0;
                let happened = bit(direction) | POLLHUP | POLLERR;
                if asked && entry.revents & happened != 0 {
                    ready.push((entry.fd, direction));
                }
            }
        }
        Ok(())
