//! The check of the exercise: descriptors in, out, and beyond the end.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_03_fd_set, path = "../my/03_fd_set.rs")]
#[rustfmt::skip]
mod exercise;

use std::os::fd::RawFd;

use exercise::FdSet;
use exercises::without_a_panic;

fn set(descriptors: &[RawFd]) -> FdSet {
    let mut set = FdSet::new();
    for &fd in descriptors {
        set.insert(fd).unwrap_or_else(|e| panic!("there is room for {fd}: {e}"));
    }
    set
}

#[test]
fn what_is_put_in_is_in() {
    let all = [0, 1, 31, 32, 63, 64, 65, 127, 128, 1000, 1023];
    for fd in all {
        let set = set(&[fd]);
        for other in all {
            let is_in = set.contains(other);
            assert_eq!(is_in, other == fd, "only {fd} is in the set; is {other}?");
        }
    }
}

#[test]
fn the_descriptors_come_in_order() {
    let descriptors = set(&[700, 3, 64, 0, 1023, 63]).descriptors();
    assert_eq!(descriptors, [0, 3, 63, 64, 700, 1023], "what is in the set");
    assert_eq!(FdSet::new().descriptors(), [], "what is in the empty set");
}

#[test]
fn what_is_put_in_twice_is_in() {
    let set = set(&[3, 4, 4]);
    assert_eq!(
        set.descriptors(),
        [3, 4],
        "4 was in the set, and it was put in a second time: a bit that is set must stay so"
    );
}

#[test]
fn what_is_taken_out_is_out() {
    let mut set = set(&[3, 4, 5]);
    set.remove(4);
    assert_eq!(set.descriptors(), [3, 5], "3, 4 and 5 without 4");
    set.remove(4);
    assert_eq!(
        set.descriptors(),
        [3, 5],
        "4 was taken out a second time: a bit that is not set must stay so"
    );
}

#[test]
fn what_has_no_room_is_refused() {
    for fd in [1024, 1025, 5000, RawFd::MAX, -1, RawFd::MIN] {
        let mut set = set(&[3]);
        let panics = format!(
            "insert({fd}) panics. One client too many would end the server: refuse it with an \
             error"
        );
        let inserted = without_a_panic(&panics, || set.insert(fd));
        assert!(
            inserted.is_err(),
            "insert({fd}) said Ok: but the set has bits for 0 to 1,023 only"
        );
        assert_eq!(set.descriptors(), [3], "the set, after {fd} was refused");
        assert!(!set.contains(fd), "{fd} cannot be in the set");
        set.remove(fd);
        assert_eq!(
            set.descriptors(),
            [3],
            "the set, without {fd}, which was never in it"
        );
    }
}

#[test]
fn a_set_is_as_large_as_the_kernel_expects() {
    assert_eq!(size_of::<FdSet>(), 128, "bytes of a set: 1,024 bits and nothing else");
}
