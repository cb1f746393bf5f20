//! `--lines`: each line is answered with `Get: ` and that line. Stages without the flag have
//! shown elsewhere that they refuse it.

use crate::client::{Client, Pattern};
use crate::server::{Server, Setup};
use crate::stage::Stage;

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
    });
    assert_eq!(client.receive(11), b"Get: short\n");
    assert!(client.is_refused());
    too_long.join().unwrap();
    let problem = server.problems.wait_for("2097152 bytes");
    assert!(problem.starts_with(&client.addr().to_string()), "{problem}");
    // Others are served as before.
    let mut client = server.connect();
    client.send(b"hello\n");
    assert_eq!(client.receive(11), b"Get: hello\n");
}
