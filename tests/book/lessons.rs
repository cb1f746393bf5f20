//! A lesson in the teacher's kit says all that somebody needs who stands in front of a class.

use crate::Defects;
use crate::book::Page;

const SECTIONS: [&str; 6] = [
    "Goal",
    "On the screen",
    "Type",
    "Ask",
    "Mistakes to make",
    "Where classes get stuck",
];

pub fn check(page: &Page, defects: &mut Defects) {
    if !page.path.starts_with("chapters/teachers/lesson_") {
        return;
    }
    let mut complain = |line, message: String| defects.add(&page.path, line, message);
    let headings = page.text.headings();
    let headings: Vec<_> = headings.iter().filter(|heading| heading.level == 2).collect();
    let titles: Vec<_> = headings
        .iter()
        .map(|heading| page.text.line(heading.line).trim_start_matches("## "))
        .collect();
    if titles != SECTIONS {
        return complain(1, format!("give a lesson these sections: {SECTIONS:?}"));
    }
    let last = page.text.lines().last().map_or(1, |(line, _)| line + 1);
    let ends = headings.iter().skip(1).map(|heading| heading.line).chain([last]);
    for (heading, end) in headings.iter().zip(ends) {
        let section = heading.line + 1..end;
        let words = page.text.count_words_of(|line| section.contains(&line));
        let mut blocks = page.text.blocks.iter();
        let types = blocks.any(|it| it.language == "sh" && section.contains(&it.line));
        if words == 0 && !types {
            complain(heading.line, "write something below this".to_string());
        } else if page.text.line(heading.line) == "## Type" && !types {
            complain(heading.line, "say what to type, in a ```sh block".to_string());
        }
    }
}
