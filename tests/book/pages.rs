//! A page is five to fifteen minutes of reading, says so, and is well built.

use crate::Defects;
use crate::book::Page;
use crate::budgets;

/// What an exercise's page consists of.
const SECTIONS: [&str; 4] = ["Goal", "What to do", "Hints", "Afterwards"];

const FORM: &str = "say how long it takes below the title: *N minutes. Before: …*";

pub fn check(page: &Page, defects: &mut Defects) {
    let mut complain = |line, message: String| defects.add(&page.path, line, message);
    check_headings(page, &mut complain);
    check_folded_answers(page, &mut complain);
    check_tone(page, &mut complain);
    if page.exercise().is_some() {
        check_exercise(page, &mut complain);
    } else if !page.is_appendix {
        check_reading_time(page, &mut complain);
    }
}

fn check_headings(page: &Page, complain: &mut impl FnMut(usize, String)) {
    let headings = page.text.headings();
    let first = page.text.lines().find(|(_, line)| !line.trim().is_empty());
    let first = first.map_or(1, |(line, _)| line);
    if !headings.iter().any(|heading| heading.level == 1 && heading.line == first) {
        complain(first, "begin with the title: # …".to_string());
    }
    for pair in headings.windows(2) {
        let (above, heading) = (pair[0].level, &pair[1]);
        if heading.level == 1 {
            complain(heading.line, "a page has one title: make this ## …".to_string());
        } else if heading.level > above + 1 {
            let level = "#".repeat(above + 1);
            complain(heading.line, format!("do not skip a level: make this {level} …"));
        }
    }
    // Three hyphens below a text are a heading too, and hardly ever meant to be one.
    for (line, text) in page.text.prose_lines().skip(1) {
        let is_rule = |sign| text.len() > 1 && text.chars().all(|c| c == sign);
        if (is_rule('-') || is_rule('=')) && !page.text.is_blank(line - 1) {
            complain(
                line,
                "leave a line empty above this: it makes a heading".to_string(),
            );
        }
    }
}

/// Markdown in `<details>` is Markdown only after an empty line.
fn check_folded_answers(page: &Page, complain: &mut impl FnMut(usize, String)) {
    let tags = page.text.tags();
    let mut open = vec![];
    for (at, tag) in tags.iter().enumerate() {
        match tag.name {
            "details" => {
                open.push(tag.line);
                if tags.get(at + 1).is_none_or(|next| next.name != "summary") {
                    complain(tag.line, "say in a <summary> what is folded".to_string());
                }
            }
            "/details" if open.pop().is_none() => {
                complain(tag.line, "drop this: no <details> is open".to_string());
            }
            "summary" => {
                let inside = tags[at..].iter().take_while(|tag| tag.name != "/summary");
                if inside.map(|tag| tag.text.trim()).all(str::is_empty) {
                    complain(tag.line, "say in the <summary> what is folded".to_string());
                }
            }
            "/summary" => {
                let rest = tag.text.lines().next().unwrap_or_default();
                if !rest.trim().is_empty() || !page.text.is_blank(tag.line + 1) {
                    complain(tag.line, "leave a line empty below this".to_string());
                }
            }
            _ => {}
        }
    }
    open.into_iter().for_each(|line| complain(line, "close this <details>".to_string()));
}

/// A calm voice: no sentence ends with an exclamation mark.
fn check_tone(page: &Page, complain: &mut impl FnMut(usize, String)) {
    for (line, text) in page.text.prose_lines() {
        let mut marks = text.match_indices(['!', '！']).filter(|(at, mark)| {
            let after = text[at + mark.len()..].chars().next();
            let is_written_for_a_machine =
                |c: char| c.is_alphanumeric() || ['[', '=', '-'].contains(&c);
            let ends_something = text[..*at].ends_with(|c: char| !c.is_whitespace());
            ends_something && !after.is_some_and(is_written_for_a_machine)
        });
        if marks.next().is_some() {
            complain(line, "say it without an exclamation mark".to_string());
        }
    }
}

/// An exercise says for how long it keeps its reader busy, and has hints that are folded away.
fn check_exercise(page: &Page, complain: &mut impl FnMut(usize, String)) {
    let (line, paragraph) = below_title(page);
    match stated_minutes(&paragraph) {
        None => complain(line, FORM.to_string()),
        Some(minutes) if !(10..=60).contains(&minutes) => complain(
            line,
            format!("make this an exercise of 10 to 60 minutes, not {minutes}"),
        ),
        Some(_) => {}
    }
    let headings = page.text.headings();
    let sections: Vec<&str> = headings
        .iter()
        .filter(|heading| heading.level == 2)
        .map(|heading| page.text.line(heading.line).trim_start_matches("## "))
        .collect();
    if sections != SECTIONS {
        complain(1, format!("give an exercise these sections: {}", SECTIONS.join(", ")));
    }
    let hints = page.text.tags().into_iter().filter(|tag| tag.name == "summary");
    let hints: Vec<String> = hints
        .map(|tag| tag.text.trim().to_string())
        .filter(|it| it != "Answer")
        .collect();
    if hints != ["Hint 1", "Hint 2", "Hint 3"] {
        complain(1, format!("fold away Hint 1, Hint 2 and Hint 3, not {hints:?}"));
    }
    let words = page.text.count_words();
    if !(150..=900).contains(&words) {
        complain(1, format!("make this a page of 150 to 900 words, not {words}"));
    }
}

fn check_reading_time(page: &Page, complain: &mut impl FnMut(usize, String)) {
    let (line, paragraph) = below_title(page);
    let words = page.text.count_words();
    // 100 words a minute: pages are read slowly, and there is code between the words.
    let expected = (words + 50) / 100;
    match stated_minutes(&paragraph) {
        None => complain(line, FORM.to_string()),
        // `budgets.rs` says more of these.
        Some(_) if budgets::is_held(page) => {}
        Some(minutes) if !(5..=15).contains(&minutes) => {
            complain(line, format!("make this a page of 5 to 15 minutes, not {minutes}"));
        }
        Some(_) if !(300..=1300).contains(&words) => {
            complain(line, format!("make this a page of 300 to 1300 words, not {words}"));
        }
        Some(minutes) if minutes.abs_diff(expected) > 3 => {
            complain(
                line,
                format!("{words} words take {expected} minutes, not {minutes}"),
            );
        }
        Some(_) => {}
    }
}

/// How long the page says that it takes.
pub fn minutes(page: &Page) -> Option<usize> {
    stated(page).1
}

/// The same, and the line that says it.
pub fn stated(page: &Page) -> (usize, Option<usize>) {
    let (line, paragraph) = below_title(page);
    (line, stated_minutes(&paragraph))
}

/// The first paragraph below the title, as one line, and where it begins.
fn below_title(page: &Page) -> (usize, String) {
    let below_title = page.text.lines().skip_while(|(_, line)| !line.starts_with("# "));
    let mut below_title =
        below_title.skip(1).skip_while(|(_, line)| line.trim().is_empty());
    let (line, first) = below_title.next().unwrap_or((1, ""));
    let others =
        below_title.map(|(_, line)| line).take_while(|line| !line.trim().is_empty());
    let paragraph: Vec<&str> = [first].into_iter().chain(others).map(str::trim).collect();
    (line, paragraph.join(" "))
}

/// `N`, from `*N minutes. Before: …*`.
fn stated_minutes(paragraph: &str) -> Option<usize> {
    let inside = paragraph.strip_prefix('*')?.strip_suffix('*')?;
    let (minutes, before) = inside.split_once(" minutes. Before: ")?;
    (!before.trim().is_empty()).then(|| minutes.parse().ok())?
}
