//! The check of the exercise: clients that chat.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_chat, path = "../my/04_chat.rs")]
#[rustfmt::skip]
mod exercise;

use std::net::SocketAddr;
use std::time::Duration;

use bricks::net::{Socket, listen};
use bricks::select::Select;
use exercise::chat_server;
use exercises::{Client, schedule};

/// A chat server, which lives as long as the check's process.
fn server() -> SocketAddr {
    let listener = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let addr = listener.local_addr().expect("it has been bound");
    schedule::<Select>(move |scheduler| {
        let sock = Socket::new(listener).expect("a socket");
        scheduler.submit_task(chat_server(sock, scheduler.handle()));
    });
    addr
}

/// A client that is in.
fn enter(server: SocketAddr) -> Client {
    let mut client = Client::connect(server);
    assert_eq!(client.line(), "welcome\n", "the first line that a client gets");
    client
}

#[test]
fn all_others_hear_it() {
    let server = server();
    let (mut ada, mut bob, mut eve) = (enter(server), enter(server), enter(server));
    ada.send("good morning\n");
    let heard = bob.line();
    assert!(
        !heard.is_empty(),
        "the second client got its welcome, and then nothing; the first one had said \"good \
         morning\". Follow that line: does `listen` say it? Does `say` tell it to the second \
         client? And when the sender of the welcome has finished, who sends what comes into the \
         outbox after that?"
    );
    assert_eq!(heard, "good morning\n", "what the second client hears");
    assert_eq!(eve.line(), "good morning\n", "what the third client hears");
}

#[test]
fn nobody_hears_itself() {
    let server = server();
    let (mut ada, mut bob) = (enter(server), enter(server));
    ada.send("anybody here?\n");
    assert_eq!(bob.line(), "anybody here?\n", "what the second client hears");
    bob.send("yes\n");
    assert_eq!(ada.line(), "yes\n", "what the first client hears: not its own words");
}

/// Says more than there is room for, to one client that hears it and one that does not read.
fn speak(ada: &mut Client, bob: &mut Client) -> String {
    let line = format!("{}\n", "x".repeat(64 * 1024 - 1));
    for _ in 0..200 {
        ada.send(&line);
        assert!(
            bob.receive(line.len()) == line,
            "one client does not read, and another one no longer hears what is said. If your code \
             has panicked, a line came into an outbox while its sender was waiting for room: how \
             long does the `borrow_mut` in your `sender` live? If not: who waits for whom?"
        );
    }
    line
}

#[test]
fn who_does_not_read_disturbs_nobody() {
    let server = server();
    let (mut ada, mut bob, _deaf) = (enter(server), enter(server), enter(server));
    speak(&mut ada, &mut bob);
}

const TWO_AT_ONCE: &str = "Can two tasks send to the same client at the same time? See what the \
                           second one gets in `do_schedule`";

#[test]
fn every_line_arrives() {
    const LINES: usize = 200;
    let server = server();
    let mut listener = enter(server);
    let mut speakers: Vec<Client> = (0..8).map(|_| enter(server)).collect();
    for number in 0..LINES {
        for (who, speaker) in speakers.iter_mut().enumerate() {
            speaker.send(format!("{who} {number}\n"));
        }
    }
    let mut next = [0; 8];
    for heard in 0..LINES * next.len() {
        let line = listener.line();
        let mut words = line.split_whitespace().map_while(|word| word.parse().ok());
        let (Some(who), Some(number)) = (words.next(), words.next()) else {
            panic!(
                "eight clients said 200 lines each, and a ninth heard {heard} of them, then \
                 {line:?}. {TWO_AT_ONCE}"
            );
        };
        let who: usize = who;
        assert_eq!(
            number, next[who],
            "the number of the next line of client {who}: none may be lost, and none overtake \
             another. {TWO_AT_ONCE}"
        );
        next[who] += 1;
    }
}

#[test]
fn who_has_gone_disturbs_nobody() {
    let server = server();
    let (mut ada, mut bob, eve) = (enter(server), enter(server), enter(server));
    eve.finish();
    let mut eve = eve;
    assert!(
        eve.is_ended_within(Duration::from_secs(3)),
        "a client ended its input, and the server did not close the connection"
    );
    drop(eve);
    for line in ["one\n", "two\n", "three\n"] {
        ada.send(line);
        assert_eq!(
            bob.line(),
            line,
            "what the second client hears, after the third has gone"
        );
    }
}

#[test]
fn who_reads_late_gets_all() {
    let server = server();
    let (mut ada, mut bob, mut late) = (enter(server), enter(server), enter(server));
    let line = speak(&mut ada, &mut bob);
    for number in 1..=200 {
        assert!(
            late.receive(line.len()) == line,
            "one client did not read while 200 lines were said, and then it did: line {number} is \
             not whole. What becomes of the bytes that there was no room for?"
        );
    }
}
