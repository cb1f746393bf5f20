//! Tempting: the entry says what is waited for.
//! Told: one task waits to read, another one to write
        let fd = socket.as_raw_fd();
        match self.list.iter_mut().find(|entry| entry.fd == fd) {
            Some(entry) => entry.events = bit(direction),
            None => self.list.push(PollFd { fd, events: bit(direction), revents: 0 }),
        }
        Ok(())
