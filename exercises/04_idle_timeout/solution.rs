//! Clients that say nothing for too long are sent away, by a second task.
//!
//! The page of this exercise: chapters/exercises/04_idle_timeout.md

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bricks::net::Socket;
use bricks::scheduler::event::sleep;
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine, Task};
use exercises::shut_down;

/// What a client's handler and its watchman share.
#[derive(Debug)]
pub struct Activity {
    /// When something was received last.
    pub last: Cell<Instant>,
    /// The handler has finished.
    pub over: Cell<bool>,
}

/// Echoes, for a client that may be idle for `limit` at most.
pub fn client_handler(client: Socket, scheduler: Handle, limit: Duration) -> impl Task {
    let activity =
        Rc::new(Activity { last: Cell::new(Instant::now()), over: Cell::new(false) });
    scheduler.submit_task(watchman(client.clone(), Rc::clone(&activity), limit));
    Coroutine::new(async move |co: Co| {
        let _ = echo(&co, client, &activity).await;
        activity.over.set(true);
    })
}

/// Sends back what it receives, and writes down when that was.
async fn echo(co: &Co, client: Socket, activity: &Activity) -> io::Result<()> {
    // ANSWER: receive, note the time, send; close at the end of input
    loop {
        let bytes = co.yield_(client.recv()).await?;
        if bytes.is_empty() {
            break;
        }
        activity.last.set(Instant::now());
        co.yield_(client.send(bytes)).await?;
    }
    co.yield_(client.close()).await;
    Ok(())
    // ANSWER_END
}

/// Sleeps until the client may have been idle for `limit`, looks, and sleeps on or ends the
/// connection with [`shut_down`]: the handler then receives the end of input. It finishes when the
/// handler has, at its next look.
pub fn watchman(client: Socket, activity: Rc<Activity>, limit: Duration) -> impl Task {
    Coroutine::new(async move |co: Co| {
        // `activity.last.get().elapsed()` is how long the client has been idle.
        // ANSWER: sleep, look, and sleep on or shut down
        while !activity.over.get() {
            let idle = activity.last.get().elapsed();
            if idle >= limit {
                shut_down(&client);
                break;
            }
            co.yield_(sleep(limit - idle)).await;
        }
        // ANSWER_END
    })
}
