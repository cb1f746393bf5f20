//! A peer: an echo server on mio. It hands out edge-triggered readiness and no more, so the
//! state of each client is written by hand.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bench::peer::{self, Options, Plain};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

fn main() -> ExitCode {
    peer::run(|Plain { options }| Server::new(options)?.run())
}

struct Client {
    stream: TcpStream,
    addr: SocketAddr,
    /// Received and not yet sent; while there is some, nothing more is received.
    unsent: Vec<u8>,
    /// The end of input has been announced: there will be no other edge before it.
    ending: bool,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: HashMap<Token, Client>,
    buffer: Vec<u8>,
    accepted: usize,
}

impl Server {
    fn new(options: Options) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(options.listen)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        peer::listening(listener.local_addr()?);
        let buffer = vec![0; options.buffer];
        Ok(Server { poll, listener, clients: HashMap::new(), buffer, accepted: 0 })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        // The next attempt to accept, where the last one failed: there will be no new edge.
        let mut pause = None;
        loop {
            match self.poll.poll(&mut events, pause) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            if pause.take().is_some() {
                pause = self.accept()?;
            }
            for event in &events {
                match event.token() {
                    LISTENER => pause = self.accept()?,
                    token => self.turn(token, event.is_read_closed() || event.is_error()),
                }
            }
        }
    }

    /// Accepts everybody. If that fails, says when to try again.
    fn accept(&mut self) -> io::Result<Option<Duration>> {
        loop {
            let (mut stream, addr) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => {
                    peer::problem(format_args!("cannot accept for now: {error}"));
                    return Ok(Some(Duration::from_millis(100)));
                }
            };
            stream.set_nodelay(true)?;
            let token = Token(self.accepted);
            self.accepted += 1;
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, token, both)?;
            let client = Client { stream, addr, unsent: vec![], ending: false };
            self.clients.insert(token, client);
        }
    }

    fn turn(&mut self, token: Token, ending: bool) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        client.ending |= ending;
        match client.echo(&mut self.buffer) {
            Ok(()) => {
                self.clients.remove(&token);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                peer::problem(format_args!("{}: {error}", client.addr));
                self.clients.remove(&token);
            }
        }
    }
}

impl Client {
    /// Goes on until the end of input, which is `Ok`, or until something would block.
    fn echo(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            while !self.unsent.is_empty() {
                let sent = self.stream.write(&self.unsent)?;
                self.unsent.drain(..sent);
            }
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            let sent = match self.stream.write(&buffer[..count]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                result => result?,
            };
            self.unsent.extend_from_slice(&buffer[sent..count]);
            if count < buffer.len() && self.unsent.is_empty() && !self.ending {
                // A short read: that was all, and there will be an edge for more.
                return Err(ErrorKind::WouldBlock.into());
            }
        }
    }
}
