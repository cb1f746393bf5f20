//! The check of the exercise: what the measurements come to.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_02_who_waits, path = "../my/02_who_waits.rs")]
#[rustfmt::skip]
mod exercise;

#[test]
fn a_one_at_a_time() {
    let seconds = exercise::seconds_with_01_blocking();
    assert!(
        (4..=6).contains(&seconds),
        "not {seconds} seconds. Which client is served while the first stays for its second, and \
         when is the fourth one's turn? (`--quiet` changes nothing: it is about the log.)"
    );
}

#[test]
fn b_beside_a_stopped_client() {
    let seconds = exercise::seconds_beside_a_stopped_client();
    assert!(
        (1..=3).contains(&seconds),
        "not {seconds} seconds. The stopped client keeps a thread of the server waiting. For whom \
         do the other threads wait?"
    );
}

#[test]
fn c_for_the_silent() {
    let threads = exercise::threads_for_the_silent();
    assert!(
        threads == 101,
        "not {threads}. Count before you press Enter. When does a client get its thread: when it \
         connects, or when it speaks? And do not forget the thread that accepts them."
    );
}

#[test]
fn d_for_the_gone() {
    let threads = exercise::threads_for_the_gone();
    assert!(
        threads == 1,
        "not {threads}. Count after `crowd` has ended. What does a thread do when \
         `client_handler` has returned?"
    );
}
