//! The check of the exercise: it is sent what a scheduler would send it.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_state_machine, path = "../my/04_state_machine.rs")]
#[rustfmt::skip]
mod exercise;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use bricks::net::Socket;
use bricks::scheduler::event::{Data, Event};
use bricks::scheduler::task::{Resumed, Task};
use bricks::select::Select;
use exercise::Greeter;
use exercises::{PATIENCE, schedule};

/// What the task does when it is sent these results, one after the other.
fn steps(results: impl IntoIterator<Item = Data>) -> Vec<String> {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut task = Greeter::new(Socket::new(theirs).expect("a socket"));
    let steps: Vec<String> = results
        .into_iter()
        .map(|data| match task.send(data) {
            Resumed::Finished => "finished".to_string(),
            Resumed::Yielded(Event::Send(event), _) => {
                format!("send {}", event.unsent().escape_ascii())
            }
            Resumed::Yielded(Event::Receive(_), _) => "receive".to_string(),
            Resumed::Yielded(Event::Close(_), _) => "close".to_string(),
            Resumed::Yielded(event, _) => format!("{event:?}"),
        })
        .collect();
    ours.set_nonblocking(true).expect("a socket");
    let sent = (&ours).read(&mut [0]);
    assert!(
        !matches!(sent, Ok(1)),
        "the task sent something by itself. It yields an event, and somebody else lets it happen"
    );
    steps
}

fn name(name: &[u8]) -> Data {
    Data::Received(name.to_vec())
}

#[test]
fn from_the_question_to_the_end() {
    let sent = || Data::Sent(1);
    let results = [Data::Start, sent(), name(b"Ada\n"), sent(), Data::Closed];
    assert_eq!(
        steps(results),
        ["send Your name? ", "receive", "send Hello, Ada\\n", "close", "finished"],
        "what the task yields, one after the other"
    );
}

#[test]
fn a_client_without_a_name() {
    let results = [Data::Start, Data::Sent(1), name(b""), Data::Closed];
    assert_eq!(
        steps(results),
        ["send Your name? ", "receive", "close", "finished"],
        "the client ended its input instead of a name: whom would you greet?"
    );
}

#[test]
fn a_client_that_has_gone() {
    let gone = || ErrorKind::ConnectionReset.into();
    assert_eq!(
        steps([Data::Start, Data::Failed(gone()), Data::Closed]),
        ["send Your name? ", "close", "finished"],
        "the question could not be sent: there is nobody to listen to"
    );
    assert_eq!(
        steps([Data::Start, Data::Sent(1), Data::Failed(gone()), Data::Closed]),
        ["send Your name? ", "receive", "close", "finished"],
        "the name could not be received"
    );
    let results =
        [Data::Start, Data::Sent(1), name(b"Ada"), Data::Failed(gone()), Data::Closed];
    assert_eq!(
        steps(results),
        ["send Your name? ", "receive", "send Hello, Ada", "close", "finished"],
        "the greeting could not be sent: the coroutine above `Greeter` closes then, too"
    );
}

#[test]
fn on_a_real_scheduler() {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_read_timeout(Some(PATIENCE)).expect("not zero");
    let server = schedule::<Select>(move |scheduler| {
        scheduler.submit_task(Greeter::new(Socket::new(theirs).expect("a socket")));
    });
    ours.write_all(b"Grace").expect("there is room");
    ours.shutdown(Shutdown::Write).expect("the socket is connected");
    let mut said = String::new();
    let _ = ours.read_to_string(&mut said);
    assert_eq!(said, "Your name? Hello, Grace", "what the client got");
    server.end("the client has gone, and the task did not finish").expect("select works");
}
