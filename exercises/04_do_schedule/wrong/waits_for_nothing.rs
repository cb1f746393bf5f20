//! Tempting: a close waits for the peer's end of input, so it always waits to read.
//! Told: Nothing more will ever arrive that could wake a task
        match self {
            Event::Connect(fd) | Event::Receive(fd) | Event::Close { fd, .. } => {
                on.waiting_for_read(fd, self, task)
            }
            Event::Send(fd, _) => on.waiting_for_write(fd, self, task),
            Event::Sleep(until) => on.sleeping.push((until, task)),
        }
