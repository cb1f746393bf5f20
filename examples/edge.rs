//! What an edge is, and how one gets lost: a socket that epoll watches, with and without `EPOLLET`.
//!
//! `cargo run --example edge`. It needs no client: both ends of the connection are here.

#![forbid(unsafe_code)]
#![cfg_attr(not(target_os = "linux"), allow(unused_imports, dead_code))]

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

#[cfg(target_os = "linux")]
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

/// In milliseconds. What is not reported by then never is: everything has happened already.
const FOR_EVER: u8 = 100;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Linux only: this system has no epoll");
}

#[cfg(target_os = "linux")]
fn main() -> io::Result<()> {
    println!("A level is reported as long as there is something to read:");
    let mut it = Watched::new(b"hello", EpollFlags::empty())?;
    it.wait()?;
    it.read()?;
    it.wait()?;
    it.read()?;
    it.wait()?;

    // ANCHOR: lost
    println!("An edge is reported once, however much is left:");
    let mut it = Watched::new(b"hello", EpollFlags::EPOLLET)?;
    it.wait()?;
    it.read()?;
    it.wait()?;

    println!("Bytes and the end of input may be one edge:");
    let mut it = Watched::new(b"bye", EpollFlags::EPOLLET)?;
    it.client.shutdown(Shutdown::Write)?;
    it.wait()?;
    it.read()?;
    it.wait()?;
    // ANCHOR_END: lost

    println!("So the server reads until nothing is left, and only then waits:");
    let mut it = Watched::new(b"hello", EpollFlags::EPOLLET)?;
    it.wait()?;
    it.read_all()?;
    it.client.write_all(b"bye")?;
    it.client.shutdown(Shutdown::Write)?;
    it.wait()?;
    it.read_all()?;
    Ok(())
}

/// A server's socket, watched for input, and the client at its other end.
#[cfg(target_os = "linux")]
pub struct Watched {
    epoll: Epoll,
    socket: UnixStream,
    /// The client.
    pub client: UnixStream,
}

#[cfg(target_os = "linux")]
impl Watched {
    /// The client has sent `bytes`. `mode` is `EPOLLET` for edges, and empty for levels.
    pub fn new(bytes: &[u8], mode: EpollFlags) -> io::Result<Watched> {
        let (mut client, socket) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN | mode, 0))?;
        client.write_all(bytes)?;
        Ok(Watched { epoll, socket, client })
    }

    fn wait(&self) -> io::Result<()> {
        let count = self.epoll.wait(&mut [EpollEvent::empty()], FOR_EVER)?;
        println!("  wait: {}", if count > 0 { "reported" } else { "it sleeps for ever" });
        Ok(())
    }

    /// There is room for four bytes only, so that some may be left.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut space = [0; 4];
        let count = self.socket.read(&mut space)?;
        println!("  read: {:?}", String::from_utf8_lossy(&space[..count]));
        Ok(space[..count].to_vec())
    }

    // ANCHOR: read_all
    /// Reads what is left, and says whether that was the end of input.
    pub fn read_all(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut all = vec![];
        loop {
            match self.read() {
                Ok(bytes) if bytes.is_empty() => return Ok((all, true)),
                Ok(bytes) => all.extend(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    println!("  read: would block");
                    return Ok((all, false)); // the next change is an edge
                }
                Err(error) => return Err(error),
            }
        }
    }
    // ANCHOR_END: read_all
}
