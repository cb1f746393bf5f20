//! Why behaviours were not kept: one cause may explain many of them.

use super::PATIENCE;
use super::first::Found;
use crate::suite::Failure;

/// A cause, with the behaviours that it explains.
#[derive(Debug, PartialEq)]
pub struct Cause {
    pub text: String,
    /// What the server wrote last, if that belongs to it.
    pub lines: Vec<String>,
    pub explains: Vec<String>,
}

/// Puts together the failures that have the same cause.
#[derive(Default)]
pub struct Causes(Vec<(String, Cause)>);

impl Causes {
    pub fn add(&mut self, name: &str, (key, text, lines): (String, String, Vec<String>)) {
        match self.0.iter_mut().find(|(other, _)| *other == key) {
            Some((_, cause)) => cause.explains.push(name.to_string()),
            None => {
                let explains = vec![name.to_string()];
                self.0.push((key, Cause { text, lines, explains }));
            }
        }
    }

    /// Those that explain the most come first.
    pub fn in_order(self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.0.into_iter().map(|(_, cause)| cause).collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.explains.len()));
        causes
    }
}

/// The cause of a failure: what tells it from others, its text, and the server's last lines.
pub fn cause(failure: &Failure, found: Found) -> (String, String, Vec<String>) {
    let limits = after(failure, "the server's limits: ");
    let under = limits.map(|limits| format!(" (under {limits})")).unwrap_or_default();
    let said = last_lines(failure);
    // A signal that the suite has sent is no end of the server's own.
    let end = after(failure, "the server's end: ")
        .filter(|_| failure.test.contains("yours::"))
        .filter(|end| !end.contains("(SIGKILL)"));
    if let Some(end) = end {
        let acts = after(failure, "the server's clients: ").unwrap_or_default();
        let last = said.last().map_or(String::new(), |line| without_digits(line));
        let key = format!("{end}{under}{last}");
        let text =
            format!("the server has ended{under}: {end}. Its clients' last acts: {acts}");
        return (key, text, said);
    }
    let text = known(failure, found).map_or_else(
        || format!("{}{under}", shorten(&plain(&failure.panic))),
        str::to_string,
    );
    (text.clone(), text, said.into_iter().rev().take(1).collect())
}

/// What the first look has found, if that is why something came too late.
fn known(failure: &Failure, found: Found) -> Option<&'static str> {
    let first_line = failure.panic.lines().next().unwrap_or_default();
    let is_short = first_line == "assertion `left == right` failed"
        || first_line.starts_with("bytes that came back");
    if found.drops && is_short && !failure.panic.trim_end().ends_with("wanted: 0") {
        return Some(DROPS);
    }
    if found.sticks && failure.panic.contains("the descriptors of clients that are gone")
    {
        return Some(STICKS);
    }
    if failure.panic.starts_with("not done after") {
        let waits = [
            (found.sticks, STICKS),
            (found.lines_only, LINE_ECHO),
            (found.one_at_a_time, ONE_AT_A_TIME),
        ];
        return waits.into_iter().find(|(found, _)| *found).map(|(_, cause)| cause);
    }
    let late = ["WouldBlock", "TimedOut", "Resource temporarily unavailable"];
    if !late.iter().any(|word| failure.panic.contains(word)) {
        return None;
    }
    let awaits_the_end = failure.panic.contains("an orderly end");
    let awaits_an_answer = failure.panic.contains("the server answers")
        || failure.panic.contains("neither an answer nor an end");
    match awaits_the_end {
        true if found.stays => Some(
            "it does not close the connection when the client has said that no more comes \
             (its `shutdown` of the sending side; `read` returns 0)",
        ),
        // What comes at the end is an answer, too.
        true if found.lines_only => Some(LINE_ECHO),
        _ if awaits_an_answer && found.lines_only => Some(LINE_ECHO),
        _ if found.one_at_a_time && (awaits_an_answer || awaits_the_end) => {
            Some(ONE_AT_A_TIME)
        }
        _ if found.sticks && !failure.panic.contains("to connect") => Some(STICKS),
        _ => None,
    }
}

const DROPS: &str = "what it has received is lost when the client says that no more comes: it should be echoed first";

const STICKS: &str = "it gets stuck when a client sends much before it reads: neither side of it goes on, and the \
                      connection is never closed";

pub(super) const ONE_AT_A_TIME: &str =
    "it serves one client after the other: a second client waits";

const LINE_ECHO: &str =
    "it is a line echo: it answers when a newline has come, and these bytes have none";

/// The rest of the line that begins so.
fn after<'a>(failure: &'a Failure, start: &str) -> Option<&'a str> {
    let line = failure.printed.lines().find_map(|line| line.strip_prefix(start))?;
    (!line.is_empty()).then_some(line)
}

/// What the server wrote last. Its address is no news.
fn last_lines(failure: &Failure) -> Vec<String> {
    const MOST: usize = 8;
    let Some((_, said)) = failure.printed.split_once("\nthe server said: ") else {
        return vec![];
    };
    let said = said.split("\nthe server's ").next().unwrap_or_default();
    let is_news =
        |line: &&str| !line.trim().is_empty() && !line.starts_with("listening on ");
    let lines: Vec<&str> = said.lines().filter(is_news).collect();
    let first = lines.len().saturating_sub(MOST);
    lines[first..].iter().map(|line| shorten(line)).collect()
}

/// Ports, addresses in memory and identifiers differ each time.
fn without_digits(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_hexdigit()).collect()
}

/// Without what only Rust's friends understand.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take(3).collect();
    let text = readable(&lines.join(" "))
        .replace("assertion `left == right` failed", "not as wanted:")
        .replace("BRICKS_SERVER: ", "")
        .replace(
            "Error { kind: UnexpectedEof, message: \"failed to fill whole buffer\" }",
            "the connection ended before all was there",
        );
    let text = match (text.split_once("Os { "), text.split_once("message: \"")) {
        (Some((before, _)), Some((_, after))) => {
            format!("{before}{}", after.split('"').next().unwrap_or_default())
        }
        _ => text.split(" (os error").next().unwrap_or_default().to_string(),
    };
    // A socket with a limit of time says this when it has run out.
    let too_late = format!("nothing came for {PATIENCE} seconds");
    ["Resource temporarily unavailable", "operation would block"]
        .iter()
        .fold(text, |text, unclear| text.replace(unclear, &too_late))
        .replace("the server answers:", "an answer is awaited:")
        .replace("an orderly end:", "the end of the connection is awaited:")
        .replace("the server takes what it is sent:", "while something is sent:")
}

/// Lists of bytes are shown as text.
fn readable(text: &str) -> String {
    let mut readable = String::new();
    let mut rest = text;
    while let Some((before, (list, after))) =
        rest.split_once('[').and_then(|(before, it)| Some((before, it.split_once(']')?)))
    {
        readable.push_str(before);
        let numbers = list.split(", ").filter(|number| !number.is_empty());
        match numbers.map(str::parse).collect::<Result<Vec<u8>, _>>() {
            Ok(bytes) => readable.push_str(&format!("\"{}\"", bytes.escape_ascii())),
            Err(_) => readable.push_str(&format!("[{list}]")),
        }
        rest = after;
    }
    readable + rest
}

/// Up to a line's length.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(panic: &str, printed: &str) -> Failure {
        Failure {
            test: "yours::half_close".into(),
            says: panic.into(),
            panic: panic.into(),
            printed: printed.into(),
        }
    }

    const LATE: &str = "Os { code: 11, kind: WouldBlock, message: \
                        \"Resource temporarily unavailable\" }";

    #[test]
    fn a_reason_is_short_and_plain() {
        let seen = "the server answers: Os { code: 104, kind: ConnectionReset, message: \
                    \"Connection reset by peer\" }";
        assert_eq!(plain(seen), "an answer is awaited: Connection reset by peer");
        let late = "neither an answer nor an end: Resource temporarily unavailable (os error 11)";
        let words = "neither an answer nor an end: nothing came for 10 seconds";
        assert_eq!(plain(late), words);
        let bytes = "not [all] yours:  [] wanted: [104, 105, 10]";
        assert_eq!(plain(bytes), r#"not [all] yours:  "" wanted: "hi\n""#);
        assert_eq!(shorten(&"x".repeat(200)).chars().count(), 161);
    }

    #[test]
    fn one_cause_is_said_once() {
        let found = Found { stays: true, ..Found::default() };
        let mut causes = Causes::default();
        let late = failure(&format!("an orderly end: {LATE}"), "");
        for name in ["half close", "harmless signals"] {
            causes.add(name, cause(&late, found));
        }
        causes.add("small", cause(&failure("a stranger's bytes", ""), found));
        let causes = causes.in_order();
        assert_eq!(causes.len(), 2);
        assert_eq!(causes[0].explains, ["half close", "harmless signals"]);
        assert!(causes[0].text.starts_with("it does not close the connection"));
    }

    /// Three different panics, and one thing is missing.
    #[test]
    fn a_server_that_gets_stuck_has_one_cause() {
        let found = Found { sticks: true, ..Found::default() };
        for panic in [
            format!("an orderly end: {LATE}"),
            format!("the server takes what it is sent: {LATE}"),
            "this did not happen: the descriptors of clients that are gone are closed"
                .into(),
        ] {
            assert_eq!(cause(&failure(&panic, ""), found).1, STICKS, "{panic}");
            assert_ne!(cause(&failure(&panic, ""), Found::default()).1, STICKS);
        }
        let other = failure("to connect: connection timed out", "");
        assert_ne!(cause(&other, found).1, STICKS);
    }

    #[test]
    fn what_was_not_found_is_no_cause() {
        let late = failure(&format!("the server answers: {LATE}"), "");
        let (_, text, _) = cause(&late, Found { stays: true, ..Found::default() });
        assert_eq!(text, "an answer is awaited: nothing came for 10 seconds");
        let (_, text, _) = cause(&late, Found { lines_only: true, ..Found::default() });
        assert_eq!(text, LINE_ECHO);
    }

    #[test]
    fn a_server_that_has_ended_is_said_to_have_ended() {
        let said = "x\nthe server's end: exit status: 1\nthe server's clients: connect, reset\nthe server's limits: ulimit -n 32\nthe server said: \
                    listening on 127.0.0.1:4\nTraceback:\n  line 3\n\nValueError: port 4071\n";
        let (key, text, lines) =
            cause(&failure("the server answers: it is reset", said), Found::default());
        assert_eq!(
            text,
            "the server has ended (under ulimit -n 32): exit status: 1. Its clients' last acts: \
             connect, reset"
        );
        assert_eq!(lines, ["Traceback:", "  line 3", "ValueError: port 4071"]);
        let again = said.replace("4071", "5");
        assert_eq!(cause(&failure("something else", &again), Found::default()).0, key);
        let killed = said.replace("exit status: 1", "signal: 9 (SIGKILL)");
        let (_, text, _) =
            cause(&failure("it does not listen", &killed), Found::default());
        assert_eq!(text, "it does not listen (under ulimit -n 32)");
    }
}
