//! A peer: a plain `epoll` loop without abstraction: the system calls, one buffer for all, and
//! an array of clients by descriptor. Level-triggered; a client is watched for what it needs.

#![forbid(unsafe_code)]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use bench::peer::{self, Options, Plain};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};

fn main() -> ExitCode {
    peer::run(|Plain { options }| Server::new(options)?.run())
}

struct Client {
    stream: TcpStream,
    /// Received and not yet sent; while there is some, nothing more is received.
    unsent: Vec<u8>,
}

struct Server {
    epoll: Epoll,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
    buffer: Vec<u8>,
}

impl Server {
    fn new(options: Options) -> io::Result<Server> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let listener = peer::listen(options.listen)?;
        epoll.add(&listener, interest(&listener, EpollFlags::EPOLLIN))?;
        peer::listening(listener.local_addr()?);
        Ok(Server { epoll, listener, clients: vec![], buffer: vec![0; options.buffer] })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); 512];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            for event in &events[..count] {
                let fd = event.data() as usize;
                if fd == self.listener.as_raw_fd() as usize {
                    self.accept()?;
                } else if let Some(client) = &mut self.clients[fd]
                    && client.turn(&self.epoll, &mut self.buffer) != Ok(true)
                {
                    self.clients[fd] = None; // closing it takes it out of the epoll set
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let fd = stream.as_raw_fd() as usize;
                    self.epoll.add(&stream, interest(&stream, EpollFlags::EPOLLIN))?;
                    if self.clients.len() <= fd {
                        self.clients.resize_with(fd + 1, || None);
                    }
                    self.clients[fd] = Some(Client { stream, unsent: vec![] });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    peer::problem(format_args!("cannot accept for now: {error}"));
                    thread::sleep(Duration::from_millis(10));
                    return Ok(());
                }
            }
        }
    }
}

fn interest(socket: &impl AsRawFd, flags: EpollFlags) -> EpollEvent {
    EpollEvent::new(flags, socket.as_raw_fd() as u64)
}

impl Client {
    /// One step: receive and send, or send the rest. False at the end of input.
    fn turn(&mut self, epoll: &Epoll, buffer: &mut [u8]) -> nix::Result<bool> {
        let was_blocked = !self.unsent.is_empty();
        if was_blocked {
            let sent = self.send(&self.unsent)?;
            self.unsent.drain(..sent);
        } else {
            let fd = self.stream.as_raw_fd();
            let received = match recv(fd, buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Ok(false),
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(true),
                result => &buffer[..result?],
            };
            let sent = self.send(received)?;
            self.unsent.extend_from_slice(&received[sent..]);
        }
        let is_blocked = !self.unsent.is_empty();
        if is_blocked != was_blocked {
            let flags =
                if is_blocked { EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN };
            epoll.modify(&self.stream, &mut interest(&self.stream, flags))?;
        }
        Ok(true)
    }

    /// Sends what there is room for.
    fn send(&self, bytes: &[u8]) -> nix::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.stream.as_raw_fd(), bytes, flags) {
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(0),
            result => result,
        }
    }
}
