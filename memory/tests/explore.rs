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

/// Else two states would be taken for one.
#[test]
fn the_key_of_a_state_forgets_nothing() {
    let small = explore::Bounds { clients: 2, bytes: 1, faults: 0, pauses: 1, ..NEAR[0] };
    for bounds in [NEAR[0].clone(), small] {
        assert!(explore::doubt(&bounds, 64) > 100);
    }
}
