//! A server that is nearly an echo server: it gets one byte in 100,000 wrong. The measurement
//! must notice.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use bench::peer::{self, Plain};

fn main() -> ExitCode {
    peer::run(|Plain { options }| {
        let listener = TcpListener::bind(options.listen)?;
        peer::listening(listener.local_addr()?);
        for client in listener.incoming() {
            let client = client?;
            thread::spawn(move || echo(client));
        }
        Ok(())
    })
}

fn echo(mut client: TcpStream) -> io::Result<()> {
    let (mut buffer, mut left) = ([0; 4096], 100_000);
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        if left < count {
            buffer[left] ^= 1;
            left = 100_000;
        }
        left = left.saturating_sub(count);
        client.write_all(&buffer[..count])?;
    }
}
