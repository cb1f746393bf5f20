//! Whatever the poller answers and the clients do, to a bound, comes to a good end.

use std::fs;
use std::path::Path;

use bricks_in_memory::explore::{self, NEAR, explore};

/// On its own this fails with the shortest run that goes wrong: in words, and as a recording that
/// the book's player opens.
#[test]
fn every_answer_to_a_bound() {
    for bounds in NEAR {
        match explore(&bounds) {
            Ok(explored) => println!("{bounds}: {explored}"),
            Err(failure) => {
                let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explored.jsonl");
                fs::write(&file, &failure.recording).unwrap();
                panic!("{bounds}\n{failure}\nrecorded in {}", file.display());
            }
        }
    }
}

/// The page about it tells these numbers in a sentence.
#[test]
fn the_page_says_how_much_that_is() {
    let page = include_str!("../../chapters/appendix/explored.md");
    let recorded = include_str!("../../chapters/04_scheduler/sessions/explored.txt");
    let two_clients = format!("{}:\n", NEAR[1]);
    let (_, counts) = recorded.split_once(&two_clients).expect("it is recorded");
    let counts = counts.split(|c: char| !c.is_ascii_digit()).filter(|it| !it.is_empty());
    for count in counts.take(2) {
        let (thousands, rest) = count.split_at(count.len() - 3);
        assert!(
            page.contains(&format!("{thousands},{rest}")),
            "{count} is not on the page"
        );
    }
}

/// Else two states would be taken for one.
#[test]
fn the_key_of_a_state_forgets_nothing() {
    let small = explore::Bounds { clients: 2, bytes: 1, faults: 0, pauses: 1, ..NEAR[0] };
    for bounds in [NEAR[0].clone(), small] {
        assert!(explore::doubt(&bounds, 64) > 100);
    }
}
