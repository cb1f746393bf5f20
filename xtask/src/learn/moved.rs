//! Answers that were written for the library as it was before.

/// What an answer may say that was written for the library as it was before, and what that is
/// called now.
const MOVED: [(&str, &str); 12] = [
    ("bricks::event", "bricks::scheduler::event"),
    ("bricks::task", "bricks::scheduler::task"),
    ("bricks::ready", "bricks::scheduler::ready"),
    ("bricks::timers", "bricks::scheduler::timers"),
    (
        "bricks::lines",
        "bricks::scheduler::lines, where the end is an empty line, not None",
    ),
    ("bricks::poller", "bricks::scheduler::poller, bricks::net::{Direction, Readiness}"),
    ("bricks::poller::Select", "bricks::select::Select"),
    ("io::Result<Watch>", "io::Result<()>; a `Poller` reports once what it watches"),
    ("bricks::buffer", "a Buffer is a Vec<u8>"),
    ("Data::Connected(client)", "Data::Connected(client, addr)"),
    ("Scheduler::new(poller)", "Scheduler::new(poller, None)"),
    (
        "-> Option<(Task, Data)>",
        "nothing is returned: the task goes onto the ready queue",
    ),
];

/// Why an answer does not compile that was written for the library as it was before. No words
/// at all if it was not.
pub fn what_has_moved(exercise: &str, answer: &str) -> String {
    let moved = MOVED.iter().filter(|(before, _)| answer.contains(before));
    let moved: Vec<String> =
        moved.map(|(before, now)| format!("  {before} -> {now}")).collect();
    if moved.is_empty() {
        return String::new();
    }
    format!(
        "\nThis was written for an earlier version of the library, and some of what it uses has \
         moved. Your answer is kept. Write what stands on the right:\n\n{}\n\n\
         To see the exercise as it begins today: cargo xtask learn {exercise} --starter",
        moved.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::what_has_moved;
    use crate::exercises;

    #[test]
    fn an_answer_for_the_library_as_it_was_is_told_what_has_moved() {
        let answer = "use bricks::event::Data;\nuse bricks::poller::Select;\n\
             match data { Data::Connected(client) => {} }";
        let told = what_has_moved("04_chat", answer);
        for words in [
            "Your answer is kept",
            "bricks::event -> bricks::scheduler::event",
            "bricks::poller::Select -> bricks::select::Select",
            "Data::Connected(client) -> Data::Connected(client, addr)",
            "cargo xtask learn 04_chat --starter",
        ] {
            assert!(told.contains(words), "{words:?} in {told}");
        }
        assert!(!told.contains("bricks::task"), "it does not use that: {told}");
    }

    /// Nothing has moved for those who begin today, nor does an answer use what is gone.
    #[test]
    fn an_answer_of_today_is_told_nothing() {
        for exercise in exercises::all().unwrap() {
            let solution = crate::read(&exercise.file("solution.rs")).unwrap();
            assert_eq!(
                what_has_moved(&exercise.name, &solution),
                "",
                "{}",
                exercise.name
            );
        }
    }
}
