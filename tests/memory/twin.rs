//! The twin behaves as a socket of the system does: both get the same calls, and their answers are
//! compared.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use bricks_in_memory::net::{self, Peer};
use bricks_in_memory::space::RECEIVE_SIZE;

/// The other side, in memory or not.
trait Other {
    fn say(&mut self, bytes: &[u8]);
    fn hear(&mut self) -> io::Result<Vec<u8>>;
    fn end(&mut self);
    /// It goes, although it has not heard all.
    fn go(self);
}

impl Other for Peer {
    fn say(&mut self, bytes: &[u8]) {
        self.send(bytes);
    }

    fn hear(&mut self) -> io::Result<Vec<u8>> {
        match self.receive() {
            _ if self.is_reset() => Err(io::ErrorKind::ConnectionReset.into()),
            bytes if bytes.is_empty() && !self.is_over() => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            bytes => Ok(bytes),
        }
    }

    fn end(&mut self) {
        self.shut_down();
    }

    fn go(self) {
        self.reset();
    }
}

impl Other for UnixStream {
    fn say(&mut self, bytes: &[u8]) {
        self.write_all(bytes).unwrap();
    }

    fn hear(&mut self) -> io::Result<Vec<u8>> {
        self.set_nonblocking(true).unwrap();
        let mut space = vec![0; 100];
        let count = self.read(&mut space)?;
        space.truncate(count);
        Ok(space)
    }

    fn end(&mut self) {
        self.shutdown(Shutdown::Write).unwrap();
    }

    fn go(self) {}
}

fn answer(result: io::Result<impl Debug>) -> String {
    format!("{:?}", result.map_err(|error| error.kind()))
}

/// What the calls come to, on sockets and peers that `$pair` makes. (Both kinds of sockets have the
/// same methods, and no trait in common.)
macro_rules! answers {
    ($pair:expr) => {{
        let mut answers = vec![];
        let mut space = Default::default();

        let (socket, mut peer) = $pair;
        answers.push(answer(socket.try_recv(&mut space)));
        answers.push(answer(socket.try_send(b"")));
        answers.push(answer(peer.hear()));
        answers.push(answer(socket.try_send(b"to the peer")));
        answers.push(answer(peer.hear()));
        peer.say(b"to the socket");
        answers.push(answer(socket.try_recv(&mut space)));
        peer.say(&[7; RECEIVE_SIZE + 1]);
        peer.end();
        for _ in 0..3 {
            let received = socket.try_recv(&mut space).unwrap();
            answers.push(format!("{} bytes, {}", received.len(), socket.ended()));
        }
        answers.push(answer(socket.try_send(b"it still listens")));
        answers.push(answer(socket.shutdown_send()));
        answers.push(answer(socket.try_send(b"no more")));
        answers.push(answer(peer.hear()));
        answers.push(answer(peer.hear()));
        let descriptor = socket.descriptor();
        let is_its_own = descriptor == socket.clone().descriptor();
        answers.push(format!("{is_its_own}, closed: {}", descriptor.is_closed()));
        drop(socket);
        answers.push(format!("closed: {}", descriptor.is_closed()));

        let (socket, mut peer) = $pair;
        answers.push(format!("the old one: {}", descriptor == socket.descriptor()));
        peer.say(b"the socket is closed before it has received this");
        drop(socket);
        answers.push(answer(peer.hear()));

        let (socket, peer) = $pair;
        answers.push(answer(socket.try_send(b"the peer goes before it has heard this")));
        peer.go();
        answers.push(answer(socket.try_recv(&mut space)));
        answers.push(answer(socket.try_recv(&mut space)));
        answers.push(answer(socket.try_send(b"x")));
        answers
    }};
}

#[test]
fn the_twin_answers_as_a_socket_of_the_system_does() {
    let of_the_system = answers!({
        let (ours, theirs) = UnixStream::pair().unwrap();
        (bricks::net::Socket::new(ours).unwrap(), theirs)
    });
    assert_eq!(answers!(net::pair()), of_the_system);
}

/// The smallest number that is free is given out, as by the system.
#[test]
fn a_number_that_comes_back() {
    let [(one, _), (two, _), (three, _)] = [net::pair(), net::pair(), net::pair()];
    assert_eq!([&one, &two, &three].map(AsRawFd::as_raw_fd), [3, 4, 5]);
    let old = two.descriptor();
    drop(two);
    let (next, _) = net::pair();
    assert_eq!(next.as_raw_fd(), 4);
    assert!(old != next.descriptor(), "another socket has it");
    assert_eq!(net::pair().0.as_raw_fd(), 6);
}
