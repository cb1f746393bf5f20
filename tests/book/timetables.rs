//! A timetable is a table whose first columns are `At` and `Minutes`. A row that links to
//! pages takes the minutes that those pages state. `At` says when a row begins, and the
//! last row, which is the end, how long all of it takes:
//!
//! ```text
//! | At | Minutes | What |
//! |---|---|---|
//! | 0:00 | 12 | [One client at a time](../01_blocking/index.md) |
//! | 0:12 | 8 | Experiment: who waits? |
//! | 0:20 | **20** | The end |
//! ```

use std::ops::Range;

use crate::Defects;
use crate::book::{Book, Page, resolve};
use crate::pages;

pub fn check(book: &Book, page: &Page, defects: &mut Defects) {
    let mut from = 1;
    while let Some(rows) = next_timetable(page, from) {
        from = rows.end + 1;
        let found = wrong_rows(book, page, rows);
        if let Some((line, what, _)) = found.first() {
            let right: Vec<&str> = found.iter().map(|it| it.2.as_str()).collect();
            let message = format!("{what}: write\n{}", right.join("\n"));
            defects.add(&page.path, *line, message);
        }
    }
}

/// The rows of the next timetable, without its head.
fn next_timetable(page: &Page, from: usize) -> Option<Range<usize>> {
    let is_head = |line: &str| cells(line).starts_with(&["At", "Minutes"]);
    let mut lines = page.text.prose_lines().skip(from - 1);
    let (head, _) = lines.find(|(_, line)| is_head(line))?;
    let rows = lines.skip(1).take_while(|(_, line)| line.starts_with('|')).count();
    Some(head + 2..head + 2 + rows)
}

/// The rows that are wrong: their lines, what is wrong, and how they would be right.
fn wrong_rows(
    book: &Book,
    page: &Page,
    rows: Range<usize>,
) -> Vec<(usize, String, String)> {
    let (mut found, mut sum) = (vec![], 0);
    for line in rows.clone() {
        let row = cells(page.text.line(line));
        let (at, rest) = row.split_first().expect("a split has a first part");
        let (minutes, rest) = rest.split_first().unwrap_or((&"", &[]));
        let starts = clock(sum);
        let right = if line + 1 == rows.end {
            format!("**{sum}**")
        } else {
            let right = stated_minutes(book, page, line).or(minutes.parse().ok());
            sum += right.unwrap_or_default();
            right.map_or("?".to_string(), |it| it.to_string())
        };
        let what = if *minutes != right {
            match right.as_str() {
                "?" => format!("say how many minutes this takes, not {minutes}"),
                sum if sum.starts_with('*') => format!("the sum is {sum}, not {minutes}"),
                right => {
                    format!("what is linked to takes {right} minutes, not {minutes}")
                }
            }
        } else if *at != starts {
            format!("this begins at {starts}, not {at}")
        } else {
            continue;
        };
        found.push((
            line,
            what,
            format!("| {starts} | {right} | {} |", rest.join(" | ")),
        ));
    }
    found
}

/// What the pages that are linked to on this line take together, if they say it.
fn stated_minutes(book: &Book, page: &Page, line: usize) -> Option<usize> {
    let links = page.text.links().all;
    let minutes = links.iter().filter(|link| link.line == line).filter_map(|link| {
        let path = link.target.split('#').next().unwrap_or_default();
        pages::minutes(book.page(&resolve(&page.path, path)?)?)
    });
    minutes.reduce(|one, other| one + other)
}

fn cells(line: &str) -> Vec<&str> {
    let row = line.trim().trim_start_matches('|').trim_end_matches('|');
    row.split('|').map(str::trim).collect()
}

/// `1:05`, for 65 minutes.
fn clock(minutes: usize) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}
