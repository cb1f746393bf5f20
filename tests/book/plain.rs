//! Plain English: subjects with names, and few words that name nobody.

use crate::Defects;
use crate::book::{Book, Page};
use crate::{budgets, html};

/// Words that may stand for people only, and how often all of them together may occur: on the
/// pages of the first part, and on all others.
const LIMITS: [(&str, &[&str], [usize; 2]); 4] = [
    (
        "name the subject",
        &["somebody", "nobody", "everybody", "whoever", "whom"],
        [30, 60],
    ),
    ("name the subject", &["someone", "anyone", "everyone", "those who"], [10, 20]),
    ("say why the answer is wrong", &["tempting"], [6, 6]),
    // The page on style names it once.
    ("say *fix*", &["mend", "mends", "mended", "mending"], [0, 1]),
];

pub fn check(book: &Book, defects: &mut Defects) {
    let (first, others): (Vec<&Page>, Vec<&Page>) =
        book.pages.iter().partition(|page| budgets::is_in_part_one(page));
    check_part(&first, 0, "up to", defects);
    check_part(&others, 1, "after", defects);
}

fn check_part(pages: &[&Page], part: usize, place: &str, defects: &mut Defects) {
    let pages: Vec<(&Page, Vec<String>)> =
        pages.iter().map(|it| (*it, words(it))).collect();
    for (advice, phrases, most) in LIMITS {
        let most = most[part];
        let counts = pages.iter().map(|(page, words)| {
            let count = phrases.iter().map(|phrase| count(words, phrase));
            (page.path.as_str(), count.sum::<usize>())
        });
        let counts: Vec<(&str, usize)> = counts.filter(|it| it.1 > 0).collect();
        let all: usize = counts.iter().map(|it| it.1).sum();
        if all > most {
            let places = counts.iter().map(|(path, count)| format!("{path}: {count}"));
            let message = format!(
                "{advice}: {} occur {all} times {place} the end of 04, {most} at most\n  {}",
                phrases.join(", "),
                places.collect::<Vec<_>>().join("\n  ")
            );
            defects.add("chapters/SUMMARY.md", 1, message);
        }
    }
}

/// The words of a page outside of code, in lower case.
fn words(page: &Page) -> Vec<String> {
    let lines: Vec<&str> = page.text.prose_lines().map(|(_, line)| line).collect();
    let text = html::without_tags(&lines.join("\n"));
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
    words.map(str::to_lowercase).collect()
}

fn count(words: &[String], phrase: &str) -> usize {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words.windows(phrase.len()).filter(|it| *it == phrase).count()
}
