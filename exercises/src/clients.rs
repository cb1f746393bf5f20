//! Clients of an echo server of your own: what the checks of `04_your_own` and `06_your_own` do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::PATIENCE;

/// The server: it serves the clients of a listening socket, and does not return.
pub type Serve = fn(TcpListener) -> io::Result<()>;

/// A server, which lives as long as the check's process.
fn server(serve: Serve) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it has been bound");
    thread::spawn(move || serve(listener));
    addr
}

fn connect(server: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(server).expect("the kernel connects it");
    client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    client
}

/// What comes back for five bytes.
fn echo(client: &mut TcpStream) -> Option<[u8; 5]> {
    client.write_all(b"hello").ok()?;
    let mut bytes = [0; 5];
    client.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// One client gets an answer.
///
/// # Panics
///
/// If it gets none; and if the server has ended, with what it said.
pub fn something_is_served(serve: Serve) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it has been bound");
    let client = thread::spawn(move || echo(&mut connect(addr)));
    let server = thread::spawn(move || serve(listener));
    // A server that has ended says more than a client without an answer.
    while !client.is_finished() {
        if server.is_finished() {
            let end = server.join();
            panic!("the server has ended: {}", said(end));
        }
        thread::yield_now();
    }
    let came_back = client.join().expect("it does not panic");
    assert_eq!(came_back.as_ref(), Some(b"hello"), "a client has sent \"hello\"");
}

/// How a server ended.
fn said(end: thread::Result<io::Result<()>>) -> String {
    match end {
        Ok(Ok(())) => "`serve` has returned, and there will be more clients".into(),
        Ok(Err(error)) => format!("`serve` has returned an error: {error}"),
        Err(panic) => match panic.downcast_ref::<&str>() {
            Some(text) => (*text).into(),
            None => panic.downcast::<String>().map_or("a panic".into(), |text| *text),
        },
    }
}

/// A client is silent, and another one gets its answer.
///
/// # Panics
///
/// If it gets none.
pub fn a_silent_client_keeps_no_other_waiting(serve: Serve) {
    let server = server(serve);
    let silent = connect(server);
    let mut other = connect(server);
    assert_eq!(
        echo(&mut other).as_ref(),
        Some(b"hello"),
        "the first client is silent, and the second one gets no answer: the only thread waits \
         for the first. Which call does it wait in?"
    );
    drop(silent);
}

/// A client ends its input: it gets back what it has sent, and then the end.
///
/// # Panics
///
/// If it does not.
pub fn the_end_of_input_ends_the_connection(serve: Serve) {
    let mut client = connect(server(serve));
    client.write_all(b"the last words").expect("the server is there");
    client.shutdown(Shutdown::Write).expect("it is connected");
    let mut bytes = vec![];
    let end = client.read_to_end(&mut bytes);
    assert_eq!(bytes, b"the last words", "what came before the end of the input");
    end.expect(
        "the client will send no more, and it is still connected: what does a receive without \
         any bytes mean?",
    );
}

/// A client sends, and reads nothing for a while: nothing is lost.
///
/// # Panics
///
/// If bytes are missing.
pub fn what_does_not_fit_is_sent_later(serve: Serve) {
    let mut client = connect(server(serve));
    let a_moment = Some(Duration::from_millis(300));
    client.set_write_timeout(a_moment).expect("a time-out");
    // The client does not read yet: in the end there is no more room, on the whole way.
    let mut sent = 0;
    while let Ok(count) = client.write(&[b'x'; 100_000]) {
        sent += count;
    }
    let _ = client.shutdown(Shutdown::Write); // or the server has closed it
    let mut bytes = vec![];
    let end = client.read_to_end(&mut bytes);
    assert_eq!(
        bytes.len(),
        sent,
        "some bytes have not come back ({end:?}): what does `write` return when there is little \
         room, and what becomes of the rest?"
    );
}
