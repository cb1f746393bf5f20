//! The learner's terminal: what is written to it, and the keys that are pressed.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Clears the terminal, if there is one.
pub fn clear() {
    if io::stdout().is_terminal() {
        print!("\x1b[H\x1b[2J");
    }
}

/// How many letters a line has: as many as the terminal, if there is one.
fn width() -> usize {
    let size = termios::tcgetwinsize(io::stdout());
    size.ok().map_or(80, |size| match size.ws_col {
        0 => 80,
        columns => usize::from(columns),
    })
}

/// A text's lines as the terminal can show them. What is indented already stays as it is.
pub fn indent(text: &str) -> String {
    let text = if speaks_utf8() { text.to_string() } else { in_ascii(text) };
    indented(&text, width())
}

fn indented(text: &str, width: usize) -> String {
    let lines = text.lines().flat_map(|line| match line.starts_with(' ') {
        true => vec![line.to_string()],
        false => wrap(line, width.saturating_sub(4).max(16)),
    });
    lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Lines of up to `width` letters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// A paragraph's lines in one: those of the page have another length than ours.
pub fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// What stands before what is right, and before what is not.
pub fn marks() -> (&'static str, &'static str) {
    if speaks_utf8() { ("✓", "✗") } else { ("ok", "NO") }
}

/// Whether the terminal's language has more letters than ASCII, as far as the environment says.
fn speaks_utf8() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let set = names.iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    locale.to_lowercase().replace('-', "").ends_with("utf8")
}

/// In signs that every terminal has.
fn in_ascii(text: &str) -> String {
    let replace = |sign| match sign {
        '“' | '”' => '"',
        '’' | '‘' => '\'',
        '–' | '—' => '-',
        other => other,
    };
    text.chars().map(replace).collect::<String>().replace('…', "...").replace('×', "x")
}

/// What is typed: a key on a terminal, or else a line.
pub struct Keys {
    typed: Receiver<String>,
    /// The terminal's modes as they were: it waits for no Enter, and shows no key, until the end.
    before: Option<Termios>,
}

impl Keys {
    /// From now on, keys are heard.
    pub fn listen() -> Keys {
        let (key, typed) = mpsc::channel();
        let before = single_keys();
        match &before {
            Some(_) => thread::spawn(move || send_keys(&key)),
            None => thread::spawn(move || send_lines(&key)),
        };
        Keys { typed, before }
    }

    /// The next key or line, if it comes in time. Enter is the empty one.
    pub fn within(&self, patience: Duration) -> Option<String> {
        match self.typed.recv_timeout(patience) {
            Ok(key) => Some(key),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(patience);
                None
            }
        }
    }

    /// Asks for a line. It is empty where nobody answers.
    pub fn ask(&self, question: &str) -> String {
        print!("\n{question} ");
        let _ = io::stdout().flush();
        if self.before.is_none() {
            return self.typed.recv().unwrap_or_default();
        }
        let mut line = String::new();
        loop {
            match self.typed.recv().unwrap_or_default().as_str() {
                "" => break,
                "\x08" | "\x7f" if line.pop().is_some() => print!("\x08 \x08"),
                key if key.starts_with(char::is_control) => {}
                key => {
                    line += key;
                    print!("{key}");
                }
            }
            let _ = io::stdout().flush();
        }
        println!();
        line.trim().to_string()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set(before);
        }
    }
}

/// Asks for a line, where no keys are heard.
pub fn ask(question: &str) -> String {
    print!("{question} ");
    let _ = io::stdout().flush();
    let mut line = String::new();
    let _ = io::stdin().read_line(&mut line);
    line.trim().to_string()
}

/// Lets the terminal hand over each key at once: the modes that it had, if it is a terminal. A
/// signal that ends this program puts them back, too.
fn single_keys() -> Option<Termios> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let before = termios::tcgetattr(io::stdin()).ok()?;
    let mut signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGTERM]).ok()?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok()?;
    let at_the_end = before.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGCONT {
                set(&modes); // the shell has had the terminal
                continue;
            }
            set(&at_the_end);
            process::exit(128 + signal);
        }
    });
    Some(before)
}

fn set(modes: &Termios) {
    // There may be no terminal any more.
    let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, modes);
}

fn send_keys(key: &mpsc::Sender<String>) {
    let mut bytes = io::stdin().lock().bytes().map_while(Result::ok);
    while let Some(first) = bytes.next() {
        // A letter outside ASCII is several bytes.
        let more = first.leading_ones().saturating_sub(1) as usize;
        let letter: Vec<u8> =
            [first].into_iter().chain(bytes.by_ref().take(more)).collect();
        let letter = String::from_utf8_lossy(&letter).into_owned();
        let letter = if letter == "\n" { String::new() } else { letter };
        if key.send(letter).is_err() {
            break;
        }
    }
}

fn send_lines(line: &mpsc::Sender<String>) {
    for text in io::stdin().lock().lines().map_while(Result::ok) {
        if line.send(text.trim().to_string()).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{in_ascii, indented, wrap};
    use crate::exercises;

    #[test]
    fn what_is_shown_can_be_read_in_every_terminal() {
        assert_eq!(in_ascii("“who’s 1, 2, …” – 2 × 3"), "\"who's 1, 2, ...\" - 2 x 3");
        for exercise in exercises::all().unwrap() {
            for text in exercise.hints.iter().chain([&exercise.afterwards]) {
                assert!(in_ascii(text).is_ascii(), "{}: {text}", exercise.name);
            }
        }
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        let text = "word ".repeat(60);
        for width in [40, 84, 150] {
            let lines = wrap(&text, width);
            assert!(lines.iter().all(|line| line.len() <= width));
            assert!(lines[0].len() + " word".len() > width, "{lines:?}");
            assert_eq!(lines.join(" "), text.trim_end());
            let lines = indented(&text, width);
            assert!(lines.lines().all(|line| line.len() <= width), "{lines}");
        }
        assert_eq!(indented("a b\n  c   d", 2), "    a b\n      c   d");
    }
}
