//! Tempting: who reads meets the end of input, who writes meets errors.
//! Told: a reader that is not told waits for ever
SOLVED
// NEXT
SOLVED
// NEXT
        poll(&mut self.list, timeout)?;
        let before = ready.len();
        for entry in &self.list {
            for (direction, happened) in
                [(Direction::Read, POLLIN | POLLHUP), (Direction::Write, POLLOUT | POLLERR)]
            {
                if entry.events & bit(direction) != 0 && entry.revents & happened != 0 {
                    ready.push((entry.fd, direction));
                }
            }
        }
        for &(fd, direction) in &ready[before..] {
            self.unwatch(fd, direction);
        }
        Ok(())
