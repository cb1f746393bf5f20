//! A sentence for each step: those of the text, and of the player in the book.

use crate::fold::Fold;
use crate::read::{Call, Event, Happened, Recording, With, Yield};

/// What the sentences depend on besides a step and the state before it.
pub struct Words {
    /// The tasks are futures, and wait with wakers.
    wakers: bool,
    /// The server asks what is ready, so that no other call sleeps.
    polls: bool,
}

const DIRECT: [&str; 3] = ["accept", "recv", "send"];

impl Words {
    /// Those for this recording.
    #[must_use]
    pub fn of(recording: &Recording) -> Words {
        let has =
            |test: fn(&Event) -> bool| recording.steps.iter().any(|it| test(&it.event));
        Words {
            wakers: has(|event| matches!(event, Event::Wake { .. })),
            polls: has(
                |event| matches!(event, Event::Enter(it) if !DIRECT.contains(&it.call.as_str())),
            ),
        }
    }

    /// What happened; none for what is no step of the server. `before` is the state before it.
    #[must_use]
    pub fn sentence(&self, event: &Event, before: &Fold) -> Option<String> {
        let (thread, says) = match event {
            Event::Enter(it) => (it.th, self.enter(it)),
            Event::Leave(it) => (it.th, leave(it, before)),
            Event::State(_) | Event::Other => return None,
            Event::Accept { fd, peer, conn } => {
                (None, format!("Client {conn} has descriptor {fd} ({peer})."))
            }
            Event::Close { fd } => (None, format!("Descriptor {fd} is closed.")),
            Event::Stop => (
                None,
                "A graceful stop begins: no task waits for anything new.".to_string(),
            ),
            event => (None, self.task(event, before)),
        };
        Some(thread.map_or(String::new(), |it| format!("Thread {it}: ")) + &says)
    }

    /// What a task does, and what is done for it.
    fn task(&self, event: &Event, before: &Fold) -> String {
        match event {
            Event::Spawn { task, name } => {
                let by =
                    before.running.map_or(String::new(), |it| format!(" by task {it}"));
                let does = if self.wakers { "spawned" } else { "submitted" };
                format!("Task {task}, {name}, is {does}{by}: onto the ready queue.")
            }
            Event::Resume { task, with } => self.resume(*task, with.as_ref(), before),
            Event::Yield(it) => {
                let does = if self.wakers { "is pending" } else { "yields" };
                let line = it.line.map_or(String::new(), |it| format!(" at line {it}"));
                format!("Task {} {does}{line}: it wants to {}.", it.task, wish(it))
            }
            Event::Park { task, on, fd, also } => {
                let who = match self.wakers {
                    true => format!("The waker of task {task} goes"),
                    false => format!("Task {task} and its event go"),
                };
                let too = if *also { ", too" } else { "" };
                format!("{who} {}{too}.", place(on, *fd))
            }
            Event::Wake { task } => {
                format!("The waker of task {task} is called: onto the ready queue.")
            }
            Event::Call { task, call } => {
                let with = match call.len.filter(|it| *it > 0) {
                    Some(_) => format!(", with {}", moved(call.len, call.data.as_ref())),
                    None => String::new(),
                };
                let what = format!("{} on {}{with}", call.call, number(call.fd));
                match before.running == Some(*task) {
                    true => format!("Task {task} calls {what}."),
                    false => format!("For task {task}, the scheduler calls {what}."),
                }
            }
            Event::NotYet { task, left } => {
                let left =
                    left.map_or(String::new(), |it| format!(", with {} left", bytes(it)));
                format!("Not yet: task {task} has to wait{left}.")
            }
            Event::Happened(it) => happened(it, before),
            Event::Finish { task, panicked: false } => format!("Task {task} finishes."),
            Event::Finish { task, .. } => {
                format!("Task {task} has panicked. The others go on.")
            }
            _ => String::new(),
        }
    }

    fn resume(&self, task: u64, with: Option<&With>, before: &Fold) -> String {
        let is_new = before.tasks.get(&task).is_none_or(|it| it.wants.is_none());
        match (self.wakers, is_new, with) {
            (true, true, _) => format!("Task {task} is polled."),
            (true, false, _) => format!("Task {task} is polled again."),
            (_, true, _) => format!("Task {task} is primed: it runs to its first event."),
            (.., None) => format!("Task {task} is resumed."),
            (.., Some(with)) => format!("Task {task} is resumed with {}.", result(with)),
        }
    }

    fn enter(&self, it: &Call) -> String {
        let call = &it.call;
        let until = match call.as_str() {
            "accept" => "a client comes",
            "recv" => "something comes",
            "send" => "there is room",
            _ => return asks(it),
        };
        let with = match it.len {
            Some(len) => format!(", with {}", moved(Some(len), it.data.as_ref())),
            None => String::new(),
        };
        let sleeps = match self.polls {
            true => String::new(),
            false => format!(" The thread sleeps until {until}."),
        };
        format!("{call} on {} is called{with}.{sleeps}", number(it.fd))
    }
}

fn asks(it: &Call) -> String {
    let most = it.timeout.map_or(String::new(), |it| {
        format!(", for {} ms at most", it.div_ceil(1_000_000))
    });
    let sleeps = match it.timeout {
        Some(0) => "It does not sleep: there is work to go on with.".to_string(),
        _ => format!("The thread sleeps until something is{most}."),
    };
    let (Some(read), Some(write)) = (&it.r, &it.w) else {
        let what = if it.call == "io_uring_enter" { "done" } else { "ready" };
        return format!("{} is asked what is {what}. {sleeps}", it.call);
    };
    let asks = [(read, "read"), (write, "written")].into_iter();
    let asks = asks.filter(|(fds, _)| !fds.is_empty());
    let asks: Vec<_> =
        asks.map(|(fds, word)| format!("can {} be {word}", join(fds, "or"))).collect();
    let asks = if asks.is_empty() { "nothing".to_string() } else { asks.join(", ") };
    format!("{} is asked: {asks}? {sleeps}", it.call)
}

fn leave(it: &Call, before: &Fold) -> String {
    let on = match (it.fd, &it.r) {
        (Some(fd), None) => format!("{} on {fd}", it.call),
        _ => it.call.clone(),
    };
    if let Some(error) = &it.error {
        return format!("{on} fails: {error}.");
    }
    let (Some(read), Some(write)) = (&it.r, &it.w) else {
        return match it.len {
            Some(len) => format!("{on} returns: {}.", moved(Some(len), it.data.as_ref())),
            None => format!("{on} returns."),
        };
    };
    let mut said = vec![];
    let mut tasks = vec![];
    for (fds, table, word) in
        [(read, &before.read, "readable"), (write, &before.write, "writable")]
    {
        let are = if fds.len() > 1 { "are" } else { "is" };
        if !fds.is_empty() {
            said.push(format!("{} {are} {word}", join(fds, "and")));
        }
        for task in fds.iter().filter_map(|fd| table.get(fd)) {
            let wants = before.tasks.get(task).and_then(|it| it.wants.as_ref());
            let verb = wants.map_or("go on", |(want, _)| verb(want).0);
            tasks.push(format!("task {task} can {verb}"));
        }
    }
    if said.is_empty() {
        return format!("{on} returns: nothing is ready.");
    }
    let tasks = match &tasks[..] {
        [] => String::new(),
        tasks => format!(": {}", join(tasks, "and")),
    };
    format!("{on} says {}{tasks}.", said.join(", "))
}

fn happened(it: &Happened, before: &Fold) -> String {
    let Happened { task, op, fd, len, data, error } = it;
    let what = match (op.as_str(), error) {
        (_, Some(error)) => {
            let on = fd.map_or(String::new(), |fd| format!(" on {fd}"));
            format!("The {op}{on} fails: {error}.")
        }
        ("accept", _) => format!("accept on {} has happened: a client.", number(*fd)),
        ("read", _) => {
            let moved = moved(*len, data.as_ref());
            format!("recv on {} has happened: {moved}.", number(*fd))
        }
        ("write", _) => {
            let bytes = bytes(len.unwrap_or_default());
            format!("send on {} has happened: {bytes}.", number(*fd))
        }
        ("sleep", _) => "The time has come.".to_string(),
        _ => format!("The {op} of {} is over.", number(*fd)),
    };
    match before.running == Some(*task) {
        true => format!("{what} Task {task} goes on."),
        false => format!("{what} Task {task} and this result go onto the ready queue."),
    }
}

fn result(with: &With) -> String {
    match with {
        With::Count(0) => END.to_string(),
        With::Count(count) => bytes(*count),
        With::Client { fd } => format!("descriptor {fd}"),
        With::Error(error) => error.clone(),
    }
}

fn wish(it: &Yield) -> String {
    let (verb, on) = verb(&it.want);
    let sends = it
        .len
        .map_or(String::new(), |len| format!(" {}", moved(Some(len), it.data.as_ref())));
    let fd = it.fd.map_or(String::new(), |fd| format!(" {on}{fd}"));
    format!("{verb}{sends}{fd}")
}

/// What a task wants, in words, and what stands before the descriptor.
fn verb(want: &str) -> (&str, &str) {
    match want {
        "accept" => ("accept", "on "),
        "read" => ("receive", "from "),
        "write" => ("send", "to "),
        "wake" => ("be woken", ""),
        want => (want, ""),
    }
}

fn place(on: &str, fd: Option<i32>) -> String {
    match on {
        "timer" => "among the timers".to_string(),
        "kernel" => "to the kernel, as an operation".to_string(),
        on => format!("onto the {on}-waiting table, under {}", number(fd)),
    }
}

const END: &str = "the end of input";

fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// Bytes that moved: how many, and the first of them.
fn moved(len: Option<u64>, data: Option<&String>) -> String {
    let len = len.unwrap_or_default();
    let Some(data) = data.filter(|_| len > 0) else {
        return if len == 0 { END.into() } else { bytes(len) };
    };
    // Each character is a byte.
    let data: Vec<u8> = data.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    let more = if len > data.len() as u64 { "…" } else { "" };
    format!("{} \"{}{more}\"", bytes(len), data.escape_ascii())
}

fn number(fd: Option<i32>) -> String {
    fd.map_or("?".to_string(), |fd| fd.to_string())
}

fn join<T: ToString>(items: &[T], and: &str) -> String {
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    match &items[..] {
        [rest @ .., last] if !rest.is_empty() => {
            format!("{} {and} {last}", rest.join(", "))
        }
        items => items.concat(),
    }
}
