//! Tempting: the list is to have what is ready, so it begins empty.
//! Told: that is its caller's, and `wait` adds what is ready now
SOLVED
// NEXT
SOLVED
// NEXT
        poll(&mut self.list, timeout)?;
        ready.clear();
        for entry in &self.list {
            for direction in [Direction::Read, Direction::Write] {
                let asked = entry.events & bit(direction) != 0;
                // Hanging up and errors are reported without being asked for. Whoever waits must
                // be told: the next call on the socket says what has happened.
                let happened = bit(direction) | POLLHUP | POLLERR;
                if asked && entry.revents & happened != 0 {
                    ready.push((entry.fd, direction));
                }
            }
        }
        for &(fd, direction) in ready.iter() {
            self.unwatch(fd, direction);
        }
        Ok(())
