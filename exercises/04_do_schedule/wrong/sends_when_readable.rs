//! Tempting: whatever has a socket waits in one table.
//! Told: which of the two does a send need?
        match self {
            Event::Connect(fd)
            | Event::Receive(fd)
            | Event::Send(fd, _)
            | Event::Close { fd, ended: false } => on.waiting_for_read(fd, self, task),
            Event::Sleep(until) => on.sleeping.push((until, task)),
            Event::Close { ended: true, .. } => on.ready.push((task, Data::Closed)),
        }
