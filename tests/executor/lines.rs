//! A reader of lines, whatever comes when.

use std::io::Write;
use std::pin::pin;

use bricks::executor::BufReader;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{pair, poll_once, run};

/// What happens next: so many bytes come, or a read is given up before it is ready.
#[derive(Clone, Copy, Debug)]
enum Next {
    Come(usize),
    GiveUp,
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn lines_do_not_depend_on_the_pieces_nor_on_reads_given_up(
        stream in vec(prop_oneof![1 => Just(b'\n'), 3 => any::<u8>()], 0..300),
        script in vec(
            prop_oneof![(1..60_usize).prop_map(Next::Come), Just(Next::GiveUp)],
            0..20,
        ),
    ) {
        let expected: Vec<&[u8]> = stream.split_inclusive(|&byte| byte == b'\n').collect();
        let lines = read(stream.clone(), script);
        prop_assert_eq!(lines, expected);
    }
}

fn read(stream: Vec<u8>, script: Vec<Next>) -> Vec<Vec<u8>> {
    run(|handle| async move {
        let (client, mut theirs) = pair(&handle);
        let (mut reader, mut lines) = (BufReader::new(&client), vec![]);
        let mut rest = &stream[..];
        for next in script {
            match next {
                Next::Come(count) => {
                    let (piece, after) = rest.split_at(count.min(rest.len()));
                    theirs.write_all(piece).unwrap();
                    rest = after;
                }
                Next::GiveUp => {
                    let mut line = pin!(reader.read_line());
                    // If it is ready at once, it is not given up.
                    if let std::task::Poll::Ready(line) = poll_once(&mut line) {
                        lines.push(line.unwrap());
                    }
                }
            }
        }
        theirs.write_all(rest).unwrap();
        drop(theirs);
        loop {
            match reader.read_line().await.unwrap() {
                line if line.is_empty() => return lines,
                line => lines.push(line),
            }
        }
    })
}
