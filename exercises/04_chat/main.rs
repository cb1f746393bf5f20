//! The chat of the exercise, as a program: `cargo chat`. Its tasks are yours; here they are handed
//! to a scheduler, as `src/bin/04_scheduler.rs` does it.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_chat, path = "../my/04_chat.rs")]
#[rustfmt::skip]
mod exercise;

use std::process::ExitCode;

use bricks::cli::Program;
use bricks::net::Socket;
use bricks::scheduler::Scheduler;
use bricks::select::Select;
use exercise::chat_server;

const PROGRAM: Program = Program {
    name: "chat",
    about: "A chat server: what one client says, all others hear.",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        options.log.listening(sock.local_addr()?);

        let mut scheduler = Scheduler::new(Select::default(), None);
        scheduler.submit_task(chat_server(sock, scheduler.handle()));
        scheduler.run()
    })
}
