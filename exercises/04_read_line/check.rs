//! The check of the exercise: a task that reads lines, and is sent pieces.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_read_line, path = "../my/04_read_line.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use bricks::net::Socket;
use bricks::scheduler::event::{Data, Event};
use bricks::scheduler::task::{Co, Coroutine, Resumed, Task};
use exercise::{Lines, read_line};

/// The lines that are read out of these pieces, and how often it was received. The last is
/// followed by the end of input, or by an error.
fn read(pieces: &[&[u8]], end: fn() -> Data) -> (Vec<String>, usize) {
    let (_ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let client = Socket::new(theirs).expect("a socket");
    let read = Rc::new(RefCell::new(vec![]));
    let list = Rc::clone(&read);
    let mut task = Coroutine::new(async move |co: Co| {
        let mut lines = Lines::new(client);
        let end = loop {
            match read_line(&co, &mut lines).await {
                Ok(Some(line)) => {
                    list.borrow_mut().push(line.escape_ascii().to_string());
                }
                Ok(None) => break "END".to_string(),
                Err(error) => break format!("{:?}", error.kind()),
            }
            assert!(
                list.borrow().len() < 100,
                "lines without end: {:?}, and so on. What does a call leave in `received` for \
                 the next one?",
                &list.borrow()[..4]
            );
        };
        list.borrow_mut().push(end);
    });
    let pieces = pieces.iter().map(|piece| Data::Received(piece.to_vec()));
    // Who asks again at the end of input is told again.
    let ends = [end(), end(), end()];
    let mut results = [Data::Start].into_iter().chain(pieces).chain(ends);
    let mut receives = 0;
    loop {
        let Some(data) = results.next() else {
            panic!(
                "it was told the end of input three times, and still wants to receive. So far it \
                 has returned {:?}. When nothing is left, the answer is `None`",
                read.borrow()
            );
        };
        match task.send(data) {
            Resumed::Yielded(Event::Receive(_), _) => receives += 1,
            Resumed::Yielded(event, _) => panic!("it yields {event:?}, not a receive"),
            Resumed::Finished => return (read.borrow().clone(), receives),
        }
    }
}

fn end() -> Data {
    Data::Received(vec![])
}

fn lines(pieces: &[&[u8]]) -> Vec<String> {
    read(pieces, end).0
}

#[test]
fn a_line_in_one_piece() {
    assert_eq!(lines(&[b"hello\n"]), ["hello\\n", "END"], "the lines of \"hello\\n\"");
}

#[test]
fn a_line_in_many_pieces() {
    assert_eq!(
        lines(&[b"he", b"l", b"lo", b"\n"]),
        ["hello\\n", "END"],
        "one line came in four pieces: TCP knows bytes, not messages"
    );
}

#[test]
fn many_lines_in_one_piece() {
    let (lines, receives) = read(&[b"one\ntwo\n\nthr", b"ee\n"], end);
    assert_eq!(
        lines,
        ["one\\n", "two\\n", "\\n", "three\\n", "END"],
        "lines that came in two pieces: what comes behind the first newline belongs to the next \
         line"
    );
    assert!(
        receives == 3,
        "it received {receives} times, not 3: a line that is there already must not wait for \
         more input"
    );
}

#[test]
fn the_last_line_has_no_newline() {
    assert_eq!(
        lines(&[b"one\ntw", b"o"]),
        ["one\\n", "two", "END"],
        "the client sent \"two\" and ended its input: those bytes were received, so they count"
    );
}

#[test]
fn nothing_at_all() {
    assert_eq!(lines(&[]), ["END"], "the lines of a client that sends nothing");
}

#[test]
fn bytes_that_are_not_text() {
    assert_eq!(
        lines(&[b"\xff\x80 \xc3", b"\xa9\r\n"]),
        ["\\xff\\x80 \\xc3\\xa9\\r\\n", "END"],
        "the bytes of a line, each as it came: a client may send any bytes, and a letter may \
         come in two pieces"
    );
}

#[test]
fn an_error() {
    let gone = || Data::Failed(ErrorKind::ConnectionReset.into());
    let (lines, _) = read(&[b"one\ntwo"], gone);
    assert_eq!(lines, ["one\\n", "ConnectionReset"], "the caller must hear of an error");
}
