//! The check of the exercise: numbers that are used again.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_05_stale_events, path = "../my/05_stale_events.rs")]
#[rustfmt::skip]
mod exercise;

use std::collections::BTreeSet;

use exercise::Watched;

#[test]
fn a_key_finds_its_descriptor() {
    let mut watched = Watched::default();
    for fd in [3, 70_000, 0, 5] {
        let key = watched.add(fd);
        assert_eq!(watched.find(key), Some(fd), "whom the key of {fd} means");
    }
}

#[test]
fn who_is_gone_is_not_found() {
    let mut watched = Watched::default();
    let (three, four) = (watched.add(3), watched.add(4));
    watched.remove(3);
    assert_eq!(watched.find(three), None, "3 is closed: whom does its event mean?");
    assert_eq!(watched.find(four), Some(4), "4 is still there");
}

#[test]
fn a_late_event_does_not_reach_the_next_owner() {
    let mut watched = Watched::default();
    let old = watched.add(7);
    watched.remove(7);
    let new = watched.add(7);
    assert_eq!(
        watched.find(old),
        None,
        "7 was closed, and the kernel gave the number to another client at once. An event for \
         the first one, which was already on its way, must not reach the second. What must you \
         still know of 7 when it has been removed?"
    );
    assert_eq!(watched.find(new), Some(7), "an event for the new owner of 7");
}

#[test]
fn no_key_is_given_twice() {
    let mut watched = Watched::default();
    let mut keys = BTreeSet::new();
    for round in 0..1000 {
        for fd in [7, 8] {
            let key = watched.add(fd);
            assert!(
                keys.insert(key),
                "in round {round}, {fd} got a key that had been used before. What do you forget \
                 when a descriptor is removed?"
            );
        }
        for fd in [7, 8] {
            watched.remove(fd);
        }
    }
    let found = keys.iter().filter(|key| watched.find(**key).is_some()).count();
    assert_eq!(found, 0, "keys that still mean somebody, though all are closed");
}

#[test]
fn a_key_that_was_never_given() {
    assert_eq!(Watched::default().find(7), None, "nobody is watched");
}
