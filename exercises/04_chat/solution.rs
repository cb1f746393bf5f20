//! A chat server: what one client says, all others hear.
//!
//! The page of this exercise: chapters/exercises/04_chat.md

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bricks::net::Socket;
use bricks::scheduler::lines::{Lines, read_line};
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine, Task};

/// What a client is sent when it is in.
pub const WELCOME: &[u8] = b"welcome\n";

/// One of those who chat.
pub struct Member {
    client: Socket,
    /// What is still to be sent to it, the oldest first.
    outbox: RefCell<VecDeque<Vec<u8>>>,
    /// A task sends what is in the outbox, at this moment.
    sending: Cell<bool>,
}

/// All who chat.
pub struct Room {
    members: RefCell<Vec<Rc<Member>>>,
    scheduler: Handle,
}

impl Room {
    /// An empty room.
    pub fn new(scheduler: Handle) -> Rc<Room> {
        Rc::new(Room { members: RefCell::default(), scheduler })
    }

    /// Puts `line` into the member's outbox, and sees to it that exactly one task, [`sender`],
    /// empties that.
    fn tell(&self, member: &Rc<Member>, line: &[u8]) {
        // ANSWER: into the outbox, and start a sender if there is none
        member.outbox.borrow_mut().push_back(line.to_vec());
        if !member.sending.replace(true) {
            self.scheduler.submit_task(sender(Rc::clone(member)));
        }
        // ANSWER_END
    }

    /// Tells `line` to everybody but `from`, who said it.
    fn say(&self, from: &Rc<Member>, line: &[u8]) {
        // ANSWER: tell all the others
        for member in self.members.borrow().iter() {
            if !Rc::ptr_eq(member, from) {
                self.tell(member, line);
            }
        }
        // ANSWER_END
    }
}

/// Sends what is in the outbox until it is empty, and finishes.
fn sender(member: Rc<Member>) -> impl Task {
    Coroutine::new(async move |co: Co| {
        // ANSWER: send one line after the other; then nobody is sending any more
        loop {
            // Not in the loop's condition: the outbox must not be borrowed across the wait.
            let next = member.outbox.borrow_mut().pop_front();
            let Some(line) = next else { break };
            if co.yield_(member.client.send(line)).await.is_err() {
                break;
            }
        }
        member.sending.set(false);
        // ANSWER_END
    })
}

/// Lets a client in, tells the others what it says, and lets it out.
fn client_handler(room: Rc<Room>, client: Socket) -> impl Task {
    Coroutine::new(async move |co: Co| {
        let member = Rc::new(Member {
            client: client.clone(),
            outbox: RefCell::default(),
            sending: Cell::new(false),
        });
        room.members.borrow_mut().push(Rc::clone(&member));
        room.tell(&member, WELCOME);
        let _ = listen(&co, &room, &member).await;
        room.members.borrow_mut().retain(|other| !Rc::ptr_eq(other, &member));
        co.yield_(client.close()).await;
    })
}

/// Tells the others each line of a member, until it has no more to say.
async fn listen(co: &Co, room: &Room, member: &Rc<Member>) -> io::Result<()> {
    // ANSWER: read_line, and say it, until the end of input
    let mut lines = Lines::new(member.client.clone());
    loop {
        let line = read_line(co, &mut lines).await?;
        if line.is_empty() {
            return Ok(());
        }
        room.say(member, &line);
    }
    // ANSWER_END
}

/// Accepts clients, and submits a task for each.
pub fn chat_server(sock: Socket, scheduler: Handle) -> impl Task {
    Coroutine::new(async move |co: Co| {
        let room = Room::new(scheduler.clone());
        while let Ok((client, _)) = co.yield_(sock.accept()).await {
            scheduler.submit_task(client_handler(Rc::clone(&room), client));
        }
    })
}
