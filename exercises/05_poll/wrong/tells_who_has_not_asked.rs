//! Tempting: the end of input concerns who reads, an error who writes; `revents` says it all.
//! Told: compare `events` as well
SOLVED
// NEXT
SOLVED
// NEXT
        poll(&mut self.list, timeout)?;
        let before = ready.len();
        for entry in &self.list {
            if entry.revents & (POLLIN | POLLHUP) != 0 {
                ready.push((entry.fd, Direction::Read));
            }
            if entry.revents & (POLLOUT | POLLERR) != 0 {
                ready.push((entry.fd, Direction::Write));
            }
        }
        for &(fd, direction) in &ready[before..] {
            self.unwatch(fd, direction);
        }
        Ok(())
