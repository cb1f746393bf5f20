//! What only stage 06 does: tasks that are woken, and do things themselves.

use std::io;
use std::os::fd::AsRawFd;
use std::panic::Location;

use super::{Recording, name, shortened};
use crate::net::Socket;
use crate::trace::{Did, On, TaskId, Wait, Want};

// ANCHOR: futures
impl Recording {
    pub(super) fn wake(&mut self, task: TaskId) {
        let mut line = self.line("wake");
        line.number("task", task);
        line.end();
    }

    /// A task waits: the line where it is suspended, and who has its waker.
    pub(super) fn pending(&mut self, task: TaskId, waits: &[Wait]) {
        if let Some(socket) = waits.first().and_then(|wait| wait.socket.as_ref()) {
            self.open(socket, None);
        }
        let source = self.source.path;
        let mut line = self.line("yield");
        line.number("task", task);
        match waits.first() {
            None => line.word("want", "wake"),
            Some(wait) => {
                line.word("want", wait.want.name());
                line.fd(wait.socket.as_ref().map(AsRawFd::as_raw_fd));
                if let Some(len) = wait.len {
                    line.number("len", len as u64);
                }
                line.place(wait.at, source);
            }
        }
        line.end();
        for (i, on) in waits.iter().filter_map(|wait| wait.on).enumerate() {
            let mut line = self.line("park");
            line.number("task", task);
            line.word("on", name(on));
            if let On::Read(fd) | On::Write(fd) = on {
                line.fd(Some(fd));
            }
            if i > 0 {
                line.raw("also", "true");
            }
            line.end();
        }
    }

    /// A task has done something, and goes on.
    pub(super) fn did(
        &mut self,
        task: TaskId,
        socket: &Socket,
        want: Want,
        at: &Location<'_>,
        result: Result<Did<'_>, &io::Error>,
    ) {
        self.open(socket, None);
        let mut connection = self.connection(socket.as_raw_fd());
        if let Ok(Did::Accepted(client)) = result {
            self.accepted(client);
            connection = Some(self.connections);
        }
        let source = self.source.path;
        let mut line = self.line("happened");
        line.number("task", task);
        line.word("op", want.name());
        line.fd(Some(socket.as_raw_fd()));
        match result {
            Ok(Did::Accepted(_)) => {}
            Ok(Did::Received(bytes) | Did::Sent(bytes)) => {
                line.number("len", bytes.len() as u64);
                line.bytes("data", shortened(bytes));
            }
            Err(error) => line.error("error", error),
        }
        if let Some(connection) = connection {
            line.number("conn", connection);
        }
        line.raw("at_once", "true");
        line.place(at, source);
        line.end();
    }
}

impl Want {
    /// As the format has it.
    fn name(self) -> &'static str {
        match self {
            Want::Accept => "accept",
            Want::Read => "read",
            Want::Write => "write",
            Want::Sleep => "sleep",
        }
    }
}
// ANCHOR_END: futures
