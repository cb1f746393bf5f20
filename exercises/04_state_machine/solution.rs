//! A task written by hand: the state machine that the compiler would make of a coroutine.
//!
//! The page of this exercise: chapters/exercises/04_state_machine.md

use std::mem;

use bricks::net::Socket;
use bricks::scheduler::event::Data;
use bricks::scheduler::task::{Resumed, Task};

/// Asks a client for its name, and greets it. With the compiler's help it would be
///
/// ```text
/// async fn greeter(co: Co, client: Socket) {
///     if let Ok(_) = co.yield_(client.send(b"Your name? ")).await
///         && let Ok(name) = co.yield_(client.recv()).await
///         && !name.is_empty()
///     {
///         let _ = co.yield_(client.send([b"Hello, ", &*name].concat())).await;
///     }
///     co.yield_(client.close()).await;
/// }
/// ```
pub struct Greeter {
    state: State,
}

/// Where it is suspended, and what it needs to go on.
enum State {
    /// It has not been started.
    Start(Socket),
    /// It sends the question.
    Asking(Socket),
    /// It waits for the name.
    Listening(Socket),
    /// It sends the greeting.
    Greeting(Socket),
    /// It closes the connection.
    Closing,
    /// It has finished.
    Over,
}

impl Greeter {
    /// A task for this client, which has not run yet.
    pub fn new(client: Socket) -> Greeter {
        Greeter { state: State::Start(client) }
    }
}

impl Task for Greeter {
    fn send(&mut self, data: Data) -> Resumed {
        // ANSWER: from where it is and what has come, to the next event and the next state
        match (mem::replace(&mut self.state, State::Over), data) {
            (State::Start(client), _) => {
                let event = client.send(b"Your name? ");
                self.state = State::Asking(client);
                Resumed::yielded(event)
            }
            (State::Asking(client), Data::Sent(_)) => {
                let event = client.recv();
                self.state = State::Listening(client);
                Resumed::yielded(event)
            }
            (State::Listening(client), Data::Received(name)) if !name.is_empty() => {
                let event = client.send([b"Hello, ", &*name].concat());
                self.state = State::Greeting(client);
                Resumed::yielded(event)
            }
            (
                State::Asking(client)
                | State::Listening(client)
                | State::Greeting(client),
                _,
            ) => {
                self.state = State::Closing;
                Resumed::yielded(client.close())
            }
            (State::Closing | State::Over, _) => Resumed::Finished,
        }
        // ANSWER_END
    }
}
