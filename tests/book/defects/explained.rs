use super::stage::{STAGE, with_a_stage};
use super::*;

const SOURCE: &str = "src/scheduler/ready.rs";

/// A book whose stage explains this item by these words, if it does.
fn explained(code: &str, words: &str) -> Vec<String> {
    let fixture = with_a_stage();
    fixture.write(SOURCE, code);
    fixture.replace(STAGE, "How many?", &format!("{words} How many?"));
    found(&fixture)
}

#[test]
fn an_item_is_named_in_a_sentence() {
    let expected = format!("{SOURCE}:1: explain `submit` on a page up to the end of 04");
    let code = "fn submit() {}\n";
    assert_eq!(explained(code, "Submit, or submit."), [expected.as_str()]);
    assert_eq!(explained(code, "```text\nsubmit\n```\n"), [expected.as_str()]);
    for words in
        ["`submit`", "`submit()`", "`ReadyQueue::submit`", "`queue.submit(task)`"]
    {
        assert_eq!(explained(code, words), Vec::<String>::new(), "{words}");
    }
}

#[test]
fn every_kind_of_item_is_named() {
    let code = "struct A;\nenum B {}\ntrait C {\n fn d();\n}\ntype E = u8;\nconst F: u8 = 0;\n\
                static G: u8 = 0;\nimpl A {\n fn h() {}\n}\nmacro_rules! i { () => {} }\n";
    let found = explained(code, "");
    let lines: Vec<&str> = found.iter().filter_map(|it| it.split('`').nth(1)).collect();
    assert_eq!(lines, ["A", "B", "C", "C::d", "E", "F", "G", "A::h", "i"].as_slice());
}

#[test]
fn a_name_that_two_types_have_is_named_with_its_type() {
    let code =
        "struct A;\nimpl A {\n fn new() {}\n}\nstruct B;\nimpl B {\n fn new() {}\n}\n";
    let words = "`A::new`";
    let expected = [
        format!("{SOURCE}:5: explain `B` on a page up to the end of 04"),
        format!(
            "{SOURCE}:7: explain `B::new` on a page up to the end of 04 that names `B` too"
        ),
    ];
    assert_eq!(explained(code, words), expected);
    assert_eq!(explained(code, "`A::new` and `B::new`"), Vec::<String>::new());
}

#[test]
fn what_needs_no_page() {
    let code = "struct A;\nimpl Drop for A {\n fn drop(&mut self) {}\n}\nimpl A {\n \
                fn trace_park() {}\n fn call_step() {}\n fn outcome() {}\n}\n\
                #[cfg(test)]\nmod tests {\n fn b() {}\n}\nconst _: () = ();\n";
    assert_eq!(explained(code, "`A`"), Vec::<String>::new());
}
