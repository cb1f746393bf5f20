//! One line of a recording: how it is written, and what is escaped.

use std::io;
use std::os::fd::RawFd;
use std::panic::Location;

use crate::poller::{Direction, Readiness};
use crate::trace::TaskId;

// ANCHOR: line
/// 00, 01, 02, … 99.
const DIGITS: [[u8; 2]; 100] = {
    let mut digits = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        digits[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    digits
};

/// One line of the file: a JSON object. There are many, so what is always the same is not looked
/// at: a key and a word are copied as they are, and must not need to be escaped.
pub struct Line<'a>(&'a mut Vec<u8>);

impl<'a> Line<'a> {
    #[inline(always)]
    pub fn start(lines: &'a mut Vec<u8>, t: u64, e: &str) -> Line<'a> {
        lines.extend_from_slice(b"{\"t\":");
        let mut line = Line(lines);
        line.integer(t);
        line.word("e", e);
        line
    }

    #[inline(always)]
    pub fn end(self) {
        self.0.extend_from_slice(b"}\n");
    }

    #[inline(always)]
    pub fn key(&mut self, key: &str) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    #[inline(always)]
    pub fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.extend_from_slice(json.as_bytes());
    }

    #[inline(always)]
    pub fn word(&mut self, key: &str, word: &str) {
        self.key(key);
        self.0.push(b'"');
        self.0.extend_from_slice(word.as_bytes());
        self.0.push(b'"');
    }

    #[inline(always)]
    pub fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.integer(number);
    }

    #[inline(always)]
    pub fn fd(&mut self, fd: Option<RawFd>) {
        if let Some(fd) = fd {
            self.number("fd", fd as u64);
        }
    }

    /// A line of source, and its file if that is not `source`.
    #[inline(always)]
    pub fn place(&mut self, at: &Location<'_>, source: &str) {
        if at.file() != source {
            self.text("file", at.file());
        }
        self.number("line", at.line().into());
    }

    /// A new client, by its descriptor.
    pub fn client(&mut self, key: &str, fd: RawFd) {
        self.raw(key, "{\"fd\":");
        self.integer(fd as u64);
        self.0.push(b'}');
    }

    pub fn integer(&mut self, number: u64) {
        let mut digits = [0; 20];
        let (mut at, mut left) = (digits.len(), number);
        // Two at a time: half as many divisions.
        while left >= 100 {
            at -= 2;
            digits[at..at + 2].copy_from_slice(&DIGITS[(left % 100) as usize]);
            left /= 100;
        }
        let last = DIGITS[left as usize];
        if left >= 10 {
            at -= 1;
            digits[at] = last[1];
            at -= 1;
            digits[at] = last[0];
        } else {
            at -= 1;
            digits[at] = last[1];
        }
        self.0.extend_from_slice(&digits[at..]);
    }

    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.0.push(b'[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.0.push(b',');
            }
            write(self, item);
        }
        self.0.push(b']');
    }

    pub fn tasks(&mut self, key: &str, tasks: &[TaskId]) {
        self.key(key);
        self.list(tasks, |line, task| line.integer(*task));
    }

    /// Descriptors: `r` can be read from, or are asked about; `w` the same for writing.
    pub fn readiness(&mut self, readiness: &[Readiness]) {
        for (key, direction) in [("r", Direction::Read), ("w", Direction::Write)] {
            self.key(key);
            let those = readiness.iter().filter(|(_, it)| *it == direction);
            self.list(those, |line, (fd, _)| line.integer(*fd as u64));
        }
    }

    pub fn text(&mut self, key: &str, text: &str) {
        self.bytes(key, text.as_bytes());
    }

    /// The error's name, as `ErrorKind` has it.
    pub fn error(&mut self, key: &str, error: &io::Error) {
        self.text(key, &format!("{:?}", error.kind()));
    }
    // ANCHOR_END: line

    // ANCHOR: escape
    /// Bytes as a text that means nothing but itself, in JSON and in a page around it. A byte
    /// that is not ASCII becomes the character with its number.
    pub fn bytes(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.0.push(b'"');
        for part in bytes.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
            if is_plain(part[0]) {
                self.0.extend_from_slice(part);
            } else {
                self.escape(part[0]);
            }
        }
        self.0.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'\n' => self.0.extend_from_slice(b"\\n"),
            b'\r' => self.0.extend_from_slice(b"\\r"),
            b'\t' => self.0.extend_from_slice(b"\\t"),
            b'"' | b'\\' => self.0.extend_from_slice(&[b'\\', byte]),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                self.0.extend_from_slice(b"\\u00");
                self.0.push(HEX[usize::from(byte >> 4)]);
                self.0.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
}

/// `</script>` would end the element around it, what follows two braces would be carried out
/// by mdBook, `&lt;` would become `<`: so these three are not plain.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'<' | b'{' | b'&' | b'"' | b'\\')
}
// ANCHOR_END: escape

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut lines = vec![];
        Line(&mut lines).bytes("data", bytes);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn bytes_mean_nothing_in_a_page() {
        for (bytes, expected) in [
            (&b"hi\n"[..], r#","data":"hi\n""#),
            (b"\"\\\r\t", r#","data":"\"\\\r\t""#),
            (b"</script>", r#","data":"\u003c/script>""#),
            (b"{{#include x}}", r#","data":"\u007b\u007b#include x}}""#),
            (
                b"&lt;\0\x1b\x7f\x80\xff",
                r#","data":"\u0026lt;\u0000\u001b\u007f\u0080\u00ff""#,
            ),
        ] {
            assert_eq!(escaped(bytes), expected);
        }
        // And never anything but visible ASCII.
        let all: Vec<u8> = (0..=255).collect();
        assert!(escaped(&all).bytes().all(|byte| (b' '..0x7f).contains(&byte)));
    }

    #[test]
    fn numbers() {
        let mut lines = vec![];
        Line(&mut lines).list([0, 7, 10, u64::MAX], Line::integer);
        assert_eq!(String::from_utf8(lines).unwrap(), "[0,7,10,18446744073709551615]");
    }
}
