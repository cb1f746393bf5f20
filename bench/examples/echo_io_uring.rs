//! An echo server on `io_uring` that does what the `tcp_echo` example of that crate does: an accept
//! is submitted again when it has brought a client, and an error is printed and no more.
//! `cargo xtask foreign` judges it.

#![expect(unsafe_code, reason = "the kernel is given addresses")]

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

/// So many accepts are under way.
const ACCEPTS: usize = 3;
/// How much one receive takes at most.
const SIZE: usize = 2048;

/// What an entry is about. Its place in the list of tokens is the entry's user data.
enum Token {
    Accept,
    Receive(Connection),
    Send(Connection, usize, usize),
}

/// A client, and what was received from it. The buffer stays where it is for as long as the kernel
/// may write there.
struct Connection {
    socket: OwnedFd,
    buffer: Box<[u8; SIZE]>,
}

impl Token {
    fn entry(&mut self, listener: RawFd) -> squeue::Entry {
        match self {
            Token::Accept => {
                let nothing = std::ptr::null_mut;
                opcode::Accept::new(Fd(listener), nothing(), nothing().cast()).build()
            }
            Token::Receive(client) => {
                let fd = Fd(client.socket.as_raw_fd());
                opcode::Recv::new(fd, client.buffer.as_mut_ptr(), SIZE as u32).build()
            }
            Token::Send(client, from, to) => {
                let rest = &client.buffer[*from..*to];
                let fd = Fd(client.socket.as_raw_fd());
                opcode::Send::new(fd, rest.as_ptr(), rest.len() as u32).build()
            }
        }
    }

    /// What comes after `result`; nothing, when the client has said that no more comes.
    fn next(self, result: usize) -> Option<Token> {
        match self {
            Token::Accept => {
                // SAFETY: the kernel has just made this descriptor, for us.
                let socket = unsafe { OwnedFd::from_raw_fd(result as RawFd) };
                let buffer = Box::new([0; SIZE]);
                Some(Token::Receive(Connection { socket, buffer }))
            }
            Token::Receive(_) if result == 0 => None,
            Token::Receive(client) => Some(Token::Send(client, 0, result)),
            Token::Send(client, from, to) if from + result < to => {
                Some(Token::Send(client, from + result, to))
            }
            Token::Send(client, ..) => Some(Token::Receive(client)),
        }
    }
}

struct Server {
    ring: IoUring,
    listener: TcpListener,
    tokens: Vec<Option<Token>>,
}

impl Server {
    fn submit(&mut self, mut token: Token) -> io::Result<()> {
        let free = self.tokens.iter().position(Option::is_none);
        let place = free.unwrap_or(self.tokens.len());
        let entry = token.entry(self.listener.as_raw_fd()).user_data(place as u64);
        self.tokens.resize_with(self.tokens.len().max(place + 1), || None);
        self.tokens[place] = Some(token);
        loop {
            // SAFETY: the buffer and the socket lie in the list of tokens until this is done.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    fn run(&mut self) -> io::Result<()> {
        for _ in 0..ACCEPTS {
            self.submit(Token::Accept)?;
        }
        loop {
            self.ring.submit_and_wait(1)?;
            let done: Vec<_> = self.ring.completion().collect();
            for entry in done {
                let place = entry.user_data() as usize;
                if entry.result() < 0 {
                    // The token stays where it is, and with it the socket.
                    eprintln!("{}", io::Error::from_raw_os_error(-entry.result()));
                    continue;
                }
                let token = self.tokens[place].take().expect("it was submitted");
                if let Token::Accept = token {
                    self.submit(Token::Accept)?;
                }
                if let Some(next) = token.next(entry.result() as usize) {
                    self.submit(next)?;
                }
            }
        }
    }
}

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).expect("an address");
    let (ring, listener) = (IoUring::new(256)?, TcpListener::bind(addr)?);
    println!("listening on {}", listener.local_addr()?);
    Server { ring, listener, tokens: vec![] }.run()
}
