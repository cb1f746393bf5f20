//! The check of the exercise: what the measurements come to.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_02_who_waits, path = "../my/02_who_waits.rs")]
#[rustfmt::skip]
mod exercise;

#[test]
fn one_at_a_time_takes_its_time() {
    let seconds = exercise::seconds_with_01_blocking();
    assert!(
        (18..=25).contains(&seconds),
        "not {seconds} seconds. Who is served while the first client stays for its two seconds, \
         and when is the tenth one's turn? (`--quiet` changes nothing: it is about the log.)"
    );
}

#[test]
fn a_thread_for_each_takes_as_long_as_one() {
    let seconds = exercise::seconds_with_02_threads();
    assert!(
        (2..=4).contains(&seconds),
        "not {seconds} seconds. Each client has a thread of its own: for whom does it wait?"
    );
}

#[test]
fn threads_are_counted() {
    let threads = exercise::threads_of_02_threads();
    assert!(
        threads == 101,
        "not {threads}. Count while all hundred are connected, and do not forget the thread \
         that accepts them."
    );
}

#[test]
fn the_scheduler_has_one_thread() {
    let threads = exercise::threads_of_04_scheduler();
    assert!(
        threads == 1,
        "not {threads}. Look at /proc/$(pidof 04_scheduler)/task while the clients talk."
    );
}
