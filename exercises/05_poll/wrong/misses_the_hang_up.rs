//! Tempting: POLLIN and POLLOUT are what was asked for.
//! Told: a reader that is not told waits for ever
SOLVED
// NEXT
SOLVED
// NEXT
        poll(&mut self.list, timeout)?;
        let before = ready.len();
        for entry in &self.list {
            for direction in [Direction::Read, Direction::Write] {
                if entry.events & entry.revents & bit(direction) != 0 {
                    ready.push((entry.fd, direction));
                }
            }
        }
        for &(fd, direction) in &ready[before..] {
            self.unwatch(fd, direction);
        }
        Ok(())
