//! Tempting: the entry has been reported, so drop it.
//! Told: it still waits, and was not told
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
        self.list.retain(|entry| entry.revents == 0);
        Ok(())
