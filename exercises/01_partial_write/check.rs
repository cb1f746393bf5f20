//! The check of the exercise: writes that take a part, nothing, or fail.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_01_partial_write, path = "../my/01_partial_write.rs")]
#[rustfmt::skip]
mod exercise;

use std::io::ErrorKind;

use exercise::send_all;
use exercises::stream::Does::{Fails, Takes};
use exercises::stream::Stream;

#[test]
fn a_write_that_takes_all() {
    let mut stream = Stream::new([Takes(5)]);
    send_all(&mut stream, b"hello").expect("nothing has failed");
    assert_eq!(stream.written, b"hello", "this is what has been written");
}

#[test]
fn a_write_that_takes_a_part() {
    let mut stream = Stream::new([Takes(2), Takes(1), Takes(7)])
        .or("everything had been taken: what did you send again?");
    let result = send_all(&mut stream, b"hello");
    let written = String::from_utf8_lossy(&stream.written).into_owned();
    assert!(result.is_ok(), "an error, and nothing has failed: {result:?}");
    assert!(
        written.len() >= 5,
        "`write` took 2 bytes of \"hello\" and said so; only {written:?} has been sent. \
         What about the rest?"
    );
    assert_eq!(
        written, "hello",
        "some bytes were sent twice. Where does the rest begin?"
    );
}

#[test]
fn an_interrupted_write() {
    let mut stream = Stream::new([Takes(1), Fails(ErrorKind::Interrupted), Takes(9)]);
    let result = send_all(&mut stream, b"hello");
    assert!(
        result.is_ok(),
        "a signal interrupted `write` before it did anything; that is no reason to give up: \
         {result:?}"
    );
    assert_eq!(stream.written, b"hello", "this is what has been written");
}

#[test]
fn a_write_that_takes_nothing() {
    let mut stream = Stream::new([Takes(0)])
        .or("`write` took 0 bytes of 5, and you asked again: that can go on for ever");
    let error = send_all(&mut stream, b"hello").expect_err("5 bytes are left");
    assert_eq!(error.kind(), ErrorKind::WriteZero, "the kind of the error");
}

#[test]
fn a_write_that_fails() {
    let mut stream = Stream::new([Takes(2), Fails(ErrorKind::BrokenPipe)])
        .or("after BrokenPipe there is nobody to write to");
    let result = send_all(&mut stream, b"hello");
    let error = result.expect_err("the client has gone: your caller must hear of it");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "the kind of the error");
}

#[test]
fn a_write_that_would_block() {
    let mut stream = Stream::new([Takes(2), Fails(ErrorKind::WouldBlock)])
        .or("there is no room, and you asked again at once: a loop that asks until there is room \
             takes all of the processor, and nobody else is served meanwhile");
    let result = send_all(&mut stream, b"hello");
    let error = result.expect_err("there is no room: your caller must hear of it");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "the kind of the error");
}

#[test]
fn nothing_to_send() {
    let mut stream = Stream::new([]).or("there was nothing to send");
    send_all(&mut stream, b"").expect("nothing has failed");
}
