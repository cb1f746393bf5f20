//! A client that checks every byte.

use std::hash::{DefaultHasher, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::server::PATIENCE;

/// What clients have done last: each act once, the last one last.
static ACTS: Mutex<Vec<&str>> = Mutex::new(vec![]);

fn did(act: &'static str) {
    let mut acts = ACTS.lock().unwrap_or_else(PoisonError::into_inner);
    acts.retain(|&other| other != act);
    acts.push(act);
}

pub fn last_acts() -> Vec<&'static str> {
    ACTS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A connection to a server under test. Waiting for ever is a failure.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&addr, *PATIENCE);
        Client::new(stream.unwrap_or_else(|error| panic!("to connect: {error}")))
    }

    /// A connection through which little fits: small segments make the server's send buffer
    /// small, and it is only then that `send` takes a part of what it is given. (Between two
    /// programs on one machine, a segment is 64 KiB, and nearly everything fits.)
    pub fn narrow(addr: SocketAddr) -> Client {
        let domain = socket2::Domain::for_address(addr);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        setsockopt(&socket, sockopt::TcpMaxSeg, &536).unwrap();
        socket
            .connect_timeout(&addr.into(), *PATIENCE)
            .unwrap_or_else(|error| panic!("to connect: {error}"));
        Client::new(socket.into())
    }

    fn new(stream: TcpStream) -> Client {
        stream.set_read_timeout(Some(*PATIENCE)).unwrap();
        stream.set_write_timeout(Some(*PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        did("connect");
        Client { stream }
    }

    pub fn addr(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes what it is sent");
        did("send");
    }

    /// Sends as much as fits without waiting, up to `limit` bytes of [`Pattern`] 0, and returns
    /// how much that was.
    pub fn stuff(&mut self, limit: usize) -> usize {
        let mut pattern = Pattern::new(0);
        let mut stuffed = 0;
        // A write that waits is over when nothing has moved for a few moments. (One is not
        // enough: a machine that stands still for it leaves the server no time, either.)
        self.stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut chunk, mut in_vain) = (vec![], 0);
        while stuffed < limit && in_vain < 4 {
            if chunk.is_empty() {
                chunk = pattern.next(64 * 1024);
            }
            match retry(|| self.stream.write(&chunk)) {
                Ok(sent) => {
                    in_vain = 0;
                    stuffed += sent;
                    chunk.drain(..sent);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => in_vain += 1,
                Err(error) => panic!("while stuffing: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(*PATIENCE)).unwrap();
        stuffed
    }

    pub fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).expect("the server answers");
        bytes
    }

    /// Sends, and asserts that the same comes back.
    pub fn echo(&mut self, bytes: &[u8]) {
        self.send(bytes);
        assert!(
            self.receive(bytes.len()) == bytes,
            "what came back is not what was sent"
        );
    }

    /// Whether the server echoes `bytes` (true), or has ended the connection (false).
    pub fn is_served(&mut self, bytes: &[u8]) -> bool {
        use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let mut echoed = vec![0; bytes.len()];
        let result = self
            .stream
            .write_all(bytes)
            .and_then(|()| self.stream.read_exact(&mut echoed));
        match result {
            Ok(()) => {
                assert!(echoed == bytes, "what came back is not what was sent");
                true
            }
            Err(e)
                if matches!(e.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) =>
            {
                false
            }
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }

    /// No more from us.
    pub fn shutdown(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is there");
        did("shut down sending");
    }

    /// Everything up to the server's end of input, and asserts that it is one, not an error.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = vec![];
        self.stream.read_to_end(&mut bytes).expect("an orderly end");
        bytes
    }

    /// Receives up to the end of input, and asserts that all of it is `byte`. Keeps nothing.
    pub fn rest_is_all(&mut self, byte: u8) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = retry(|| self.stream.read(&mut buffer)).expect("an orderly end");
            if n == 0 {
                return;
            }
            assert!(buffer[..n].iter().all(|&other| other == byte), "a stranger's bytes");
        }
    }

    /// Shuts down and asserts that nothing more comes.
    pub fn finish(mut self) {
        self.shutdown();
        assert_eq!(self.rest(), b"", "more than was sent");
    }

    /// Whether nothing has arrived so far. Does not wait.
    pub fn has_nothing(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0; 1]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Closes the connection, whatever has come.
    pub fn leave(self) {
        drop(self.stream);
        did("close");
    }

    /// Closes the connection with a reset instead of an orderly end.
    pub fn reset(self) {
        let socket = socket2::Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(socket);
        did("reset");
    }

    /// Sends `count` bytes of a pattern and receives at the same time. Returns the hashes of
    /// both directions.
    pub fn pump(&mut self, seed: u64, count: usize) -> (u64, u64) {
        let mut writer = self.stream.try_clone().unwrap();
        let sender = thread::spawn(move || {
            let mut pattern = Pattern::new(seed);
            let mut hasher = DefaultHasher::new();
            let mut left = count;
            while left > 0 {
                let chunk = pattern.next(left.min(64 * 1024));
                left -= chunk.len();
                hasher.write(&chunk);
                writer.write_all(&chunk).expect("the server takes what it is sent");
            }
            writer.shutdown(Shutdown::Write).unwrap();
            did("shut down sending");
            hasher.finish()
        });
        let mut hasher = DefaultHasher::new();
        let mut received = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match retry(|| self.stream.read(&mut buffer)).expect("an orderly end") {
                0 => break,
                n => {
                    hasher.write(&buffer[..n]);
                    received += n;
                }
            }
        }
        assert_eq!(received, count, "bytes that came back");
        (sender.join().unwrap(), hasher.finish())
    }
}

/// A call on a socket with a time-out may be interrupted by more than signals: by a debugger, or
/// when the whole machine is paused.
fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Bytes that look random, are different for each seed, and can be made again.
pub struct Pattern {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Pattern {
    pub fn new(seed: u64) -> Pattern {
        Pattern {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            word: [0; 8],
            used: 8,
        }
    }

    pub fn next(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        bytes.extend_from_slice(&self.word[self.used..]);
        while bytes.len() < count {
            // xorshift64*: Marsaglia's generator with Vigna's multiplier.
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            self.word = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
            bytes.extend_from_slice(&self.word);
        }
        self.used = 8 - (bytes.len() - count);
        bytes.truncate(count);
        bytes
    }
}

/// Asserts that `bytes` are the first of the pattern.
pub fn assert_is_pattern(bytes: &[u8], seed: u64) {
    let mut pattern = Pattern::new(seed);
    for (i, chunk) in bytes.chunks(4096).enumerate() {
        assert!(chunk == pattern.next(chunk.len()), "wrong after {} bytes", i * 4096);
    }
}

/// The error that ends reading, if it is not an orderly end; and how much came before.
pub fn read_until_end(mut stream: &TcpStream) -> (Vec<u8>, io::Result<()>) {
    let mut bytes = vec![];
    let end = stream.read_to_end(&mut bytes).map(drop);
    (bytes, end)
}

#[test]
fn a_pattern_is_the_same_in_any_pieces() {
    let whole = Pattern::new(7).next(100);
    let mut pieces = Pattern::new(7);
    let joined =
        [pieces.next(3), pieces.next(0), pieces.next(90), pieces.next(7)].concat();
    assert_eq!(whole, joined);
    assert_ne!(whole, Pattern::new(8).next(100));
}
