//! `--lines`: each line is answered with `Get: ` and that line. Stages without the flag have
//! shown elsewhere that they refuse it.

use crate::client::{Client, Pattern};
use crate::server::{Server, Setup};
use crate::stage::Stage;

/// The longest line that is served.
const MAX_LINE: usize = 2 * 1024 * 1024;

fn start(stage: &Stage) -> Option<(Server, Client)> {
    let server = stage.lines.then(|| Setup::new(stage).argument("--lines").start())?;
    let client = server.connect();
    Some((server, client))
}

/// Sends `bytes` and the end of input; asserts that `expected` and the end come back.
fn assert_answer(stage: &Stage, bytes: &[u8], expected: &[u8]) {
    let Some((_server, mut client)) = start(stage) else {
        return;
    };
    client.send(bytes);
    client.shutdown();
    let answer = client.rest();
    let shown = answer[..answer.len().min(100)].escape_ascii();
    assert!(answer == expected, "{} bytes: {shown}", answer.len());
}

pub fn line_ends(stage: &Stage) {
    assert_answer(stage, b"one\ntwo\r\nthree\n", b"Get: one\nGet: two\r\nGet: three\n");
}

pub fn empty_lines(stage: &Stage) {
    assert_answer(stage, b"\n\n\r\n", b"Get: \nGet: \nGet: \r\n");
    assert_answer(stage, b"", b"");
}

pub fn long_lines(stage: &Stage) {
    for length in [64 * 1024 - 1, 64 * 1024, 1024 * 1024, 2 * 1024 * 1024] {
        let line = line_of(length);
        assert_answer(stage, &line, &[b"Get: ", &line[..]].concat());
    }
}

/// So many bytes that are no newline, and a newline.
fn line_of(length: usize) -> Vec<u8> {
    let mut line = Pattern::new(length as u64).next(length);
    line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b'x');
    line.push(b'\n');
    line
}

pub fn split_and_joined_lines(stage: &Stage) {
    let Some((_server, mut client)) = start(stage) else {
        return;
    };
    for byte in b"sl" {
        client.send(&[*byte]);
    }
    assert!(client.has_nothing(), "half a line is no line");
    client.send(b"ow\nand then three\nat once\nand a h");
    let answer = b"Get: slow\nGet: and then three\nGet: at once\n";
    assert_eq!(client.receive(answer.len()), answer);
    client.send(b"alf\n");
    assert_eq!(client.receive(16), b"Get: and a half\n");
    client.finish();
    // And very many at once.
    assert_answer(stage, &b"\n".repeat(100_000), &b"Get: \n".repeat(100_000));
}

pub fn bytes_that_are_not_text(stage: &Stage) {
    assert_answer(stage, b"\0\n\xff\xfe\n\xc3\n", b"Get: \0\nGet: \xff\xfe\nGet: \xc3\n");
}

pub fn a_last_line_without_newline(stage: &Stage) {
    assert_answer(stage, b"first\nlast", b"Get: first\nGet: last");
}

/// It ends the connection, but the answers before it still arrive.
pub fn a_line_that_is_too_long(stage: &Stage) {
    let Some((server, mut client)) = start(stage) else {
        return;
    };
    let mut sender = client.stream.try_clone().unwrap();
    let too_long = std::thread::spawn(move || {
        let mut bytes = b"short\n".to_vec();
        bytes.resize(3 * 1024 * 1024, b'x');
        // The server may close the connection before it has taken all of this.
        let _ = std::io::Write::write_all(&mut sender, &bytes);
        let _ = sender.shutdown(std::net::Shutdown::Write);
    });
    assert_eq!(client.rest(), b"Get: short\n", "an orderly end, and not a reset");
    too_long.join().unwrap();
    let problem = server.problems.wait_for("2097152 bytes");
    assert!(problem.starts_with(&client.addr().to_string()), "{problem}");
    // Others are served as before.
    let mut client = server.connect();
    client.send(b"hello\n");
    assert_eq!(client.receive(11), b"Get: hello\n");
}

/// The patience with a client that is being closed must not hit the next one on its descriptor.
pub fn a_line_that_is_too_long_and_then_another_client(stage: &Stage) {
    let Some((server, mut first)) = start(stage) else {
        return;
    };
    let too_long = vec![b'x'; MAX_LINE + 1];
    first.send(&too_long);
    assert_eq!(first.rest(), b"");
    let addr = first.addr();
    drop(first);
    server.log.wait_for(&format!("Client: {addr} disconnected"));
    // It gets the descriptor that is free now, and waits.
    let mut second = server.connect();
    second.send(b"hello\n");
    assert_eq!(second.receive(11), b"Get: hello\n");
    // The clock: the patience with a third one, who stays, ends after that with the first.
    let mut third = server.connect();
    third.send(&too_long);
    let addr = third.addr();
    server.log.wait_for(&format!("Client: {addr} disconnected"));
    second.send(b"hello again\n");
    assert_eq!(second.receive(17), b"Get: hello again\n");
    second.finish();
}

/// What has been answered is not kept: neither by a connection that goes on, nor by one that
/// waits.
#[cfg(target_os = "linux")]
pub fn lines_leave_nothing(stage: &Stage) {
    const MIB: usize = 1024 * 1024;
    let Some((server, mut client)) = start(stage) else {
        return;
    };
    let line = line_of(60_000);
    let answer = [b"Get: ", &line[..]].concat();
    let mut exchange = |times| {
        for _ in 0..times {
            client.send(&line);
            assert!(client.receive(answer.len()) == answer);
        }
    };
    exchange(100);
    let before = crate::proc::resident(&server);
    exchange(400);
    let grown = crate::proc::resident(&server).saturating_sub(before);
    assert!(grown < 8 * MIB, "its memory grew by {grown} bytes");
}
