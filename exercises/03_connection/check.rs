//! The check of the exercise: connections whose streams do what their script says.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_03_connection, path = "../my/03_connection.rs")]
#[rustfmt::skip]
mod exercise;

use std::io::ErrorKind::WouldBlock;

use exercise::{Connection, GREETING, Wants};
use exercises::stream::Does::{self, Fails, Gives, Takes};
use exercises::stream::Stream;

fn connection(script: &[Does]) -> Connection<Stream> {
    Connection::new(Stream::new(script.iter().cloned()))
}

/// Takes one turn, which must make one call.
fn turn(connection: &mut Connection<Stream>) -> Option<bool> {
    let before = connection.stream.calls;
    let result = connection.turn();
    let calls = connection.stream.calls - before;
    assert!(
        calls == 1,
        "one turn made {calls} calls. `select` said that one call would not block; who says \
         that of a second one?"
    );
    match result {
        Err(error) if error.kind() == WouldBlock => None,
        result => Some(result.expect("only `WouldBlock` is in the script")),
    }
}

fn written(connection: &Connection<Stream>) -> String {
    String::from_utf8_lossy(&connection.stream.written).into_owned()
}

#[test]
fn it_begins_with_the_greeting() {
    let mut connection = connection(&[Takes(100)]);
    assert_eq!(connection.stream.calls, 0, "calls before the first turn");
    assert_eq!(connection.wants(), Wants::Write, "what a new connection waits for");
    assert_eq!(turn(&mut connection), Some(true), "whether it goes on");
    assert_eq!(connection.stream.written, GREETING, "what the client is sent first");
    assert_eq!(connection.wants(), Wants::Read, "what it waits for after the greeting");
}

#[test]
fn it_echoes() {
    let mut connection = connection(&[Takes(100), Gives(b"one"), Takes(100), Gives(b"")]);
    for wants in [Wants::Write, Wants::Read, Wants::Write] {
        assert_eq!(connection.wants(), wants, "what it waits for");
        assert_eq!(turn(&mut connection), Some(true), "whether it goes on");
    }
    assert_eq!(written(&connection), "hello, I repeat\none", "what the client was sent");
    assert_eq!(turn(&mut connection), Some(false), "at the end of input");
}

#[test]
fn a_part_is_sent_and_the_rest_later() {
    let mut connection = connection(&[Takes(6), Takes(4), Takes(100), Gives(b"echo")]);
    for sent in ["hello,", "hello, I r"] {
        turn(&mut connection);
        assert_eq!(written(&connection), sent, "what the client was sent");
        assert_eq!(
            connection.wants(),
            Wants::Write,
            "only {sent:?} of the greeting is sent: what is it waiting for now?"
        );
    }
    turn(&mut connection);
    assert_eq!(written(&connection), "hello, I repeat\n", "what the client was sent");
    assert_eq!(connection.wants(), Wants::Read, "all has been sent");
}

#[test]
fn would_block_changes_nothing() {
    let script =
        [Fails(WouldBlock), Takes(100), Fails(WouldBlock), Gives(b"x"), Takes(100)];
    let mut connection = connection(&script);
    for (wants, goes_on) in [
        (Wants::Write, None),
        (Wants::Write, Some(true)),
        (Wants::Read, None),
        (Wants::Read, Some(true)),
        (Wants::Write, Some(true)),
    ] {
        assert_eq!(
            connection.wants(),
            wants,
            "what it waits for. After `WouldBlock` a connection is as it was: what it had to \
             send, it still has to send"
        );
        assert_eq!(turn(&mut connection), goes_on, "whether it goes on");
    }
    assert_eq!(written(&connection), "hello, I repeat\nx", "what the client was sent");
}
