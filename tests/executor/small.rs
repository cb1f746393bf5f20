//! The small executor, with which chapter six begins: a client gets its bytes back, and then the
//! end of the connection. (`tests/behaviour/` asks more of it.)

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use bricks::net::{Socket, listen};

use crate::PATIENCE;
use crate::support::drivers::watch_the_clock;

#[path = "../../examples/small_executor.rs"]
#[expect(dead_code, reason = "an example has a main function")]
mod example;

/// A client of a server that lives as long as this process.
fn client() -> TcpStream {
    watch_the_clock();
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::spawn(move || example::serve(Socket::new(listener).unwrap()));
    client
}

#[test]
fn a_small_executor_answers() {
    let mut client = client();
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    client.read_exact(&mut bytes).expect("an answer");
    assert_eq!(&bytes, b"hello");
}

#[test]
fn a_small_executor_ends_a_connection() {
    let mut client = client();
    client.write_all(b"the last words").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut bytes = vec![];
    client.read_to_end(&mut bytes).expect("the end of the connection");
    assert_eq!(bytes, b"the last words");
}
