//! The test of the test: a book that is in order is broken in one way, and that defect is
//! found, in its place, and no other.

use crate::fixture::{
    BOOK, CODE, DIFF, FIGURE, Fixture, ONE, RECORDING, SESSION, SUMMARY, TWO, WORDS,
};
use crate::{Defect, check};

#[test]
fn a_book_in_order() {
    assert_eq!(found(&Fixture::new()), Vec::<String>::new());
}

fn found(fixture: &Fixture) -> Vec<String> {
    check(fixture.root(), &[]).iter().map(Defect::to_string).collect()
}

/// Makes a test of each way to break the book: how, where the one defect is, and how what
/// is said about it begins.
macro_rules! defects {
    ($(
        $name:ident: $verb:ident($($argument:expr),*)
            => $file:expr, $line:expr, $message:expr;
    )*) => {$(
        #[test]
        fn $name() {
            let fixture = Fixture::new();
            fixture.$verb($($argument),*);
            let found = found(&fixture);
            let expected = format!("{}:{}: {}", $file, $line, $message);
            assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:#?}");
        }
    )*};
}

/// Makes a test of each change after which the book is still in order.
macro_rules! in_order {
    ($($name:ident: $verb:ident($($argument:expr),*);)*) => {$(
        #[test]
        fn $name() {
            let fixture = Fixture::new();
            fixture.$verb($($argument),*);
            assert_eq!(found(&fixture), Vec::<String>::new());
        }
    )*};
}

mod summary {
    use super::*;

    #[test]
    fn without_chapters() {
        let nothing = Fixture::new();
        std::fs::remove_dir_all(nothing.root().join("chapters")).unwrap();
        let expected =
            "chapters/SUMMARY.md:1: list two chapters or more before the appendices";
        assert_eq!(found(&nothing), [expected]);
    }

    defects! {
        a_page_that_is_not_written:
            replace(SUMMARY, "\n---", "- [Three](three/index.md)\n\n---")
            => SUMMARY, 5, "write this page, or do not list it: \"three/index.md\"";
        a_draft:
            replace(SUMMARY, "\n---", "- [Three]()\n\n---")
            => SUMMARY, 5, "write this page, or do not list it: \"\"";
        a_page_that_is_not_listed:
            write("chapters/two/more.md", "# More")
            => "chapters/two/more.md", 1, "no reader finds this page";
        a_first_page_in_a_folder:
            write(SUMMARY, "- [Two](two/index.md)\n- [One](one.md)\n---\n[Words](words.md)")
            => SUMMARY, 1, "move the first page into chapters/ itself";
        too_few_chapters:
            replace(SUMMARY, "- [Two](two/index.md)\n\n---", "---\n\n[Two](two/index.md)")
            => SUMMARY, 1, "list two chapters or more";
    }

    const EXERCISE: &str = "chapters/exercises/01_one.md";

    /// A book with an exercise.
    fn with_an_exercise() -> Fixture {
        let fixture = Fixture::new();
        let hint = |n| {
            format!("<details>\n<summary>Hint {n}</summary>\n\nLook.\n\n</details>\n\n")
        };
        let hints: String = (1..=3).map(hint).collect();
        let text = format!(
            "# One\n\n*20 minutes. Before: nothing.*\n\n## Goal\n\n{}\n\n## What to do\n\n\
             ## Hints\n\n{hints}## Afterwards\n",
            "word ".repeat(200)
        );
        fixture.write(EXERCISE, &text);
        fixture.insert(
            SUMMARY,
            "# Summary\n\n- [One](one.md)\n",
            "- [E](exercises/01_one.md)\n",
        );
        for file in ["check.rs", "exercise.rs", "solution.rs"] {
            fixture.write(&format!("exercises/01_one/{file}"), "");
        }
        fixture
    }

    #[test]
    fn exercises() {
        assert_eq!(found(&with_an_exercise()), Vec::<String>::new());
        let break_it: [(&str, &str, &str, &str); 4] = [
            (EXERCISE, "*20", "*5", "make this an exercise of 10 to 60 minutes, not 5"),
            (EXERCISE, "Hint 3", "More", "fold away Hint 1, Hint 2 and Hint 3"),
            (EXERCISE, "## Hints", "## Help", "give an exercise these sections"),
            (EXERCISE, "*20 minutes. Before: nothing.*", "Now.", "say how long it takes"),
        ];
        for (file, old, new, message) in break_it {
            let fixture = with_an_exercise();
            fixture.replace(file, old, new);
            let found = found(&fixture);
            assert!(found.len() == 1 && found[0].contains(message), "{found:#?}");
        }
    }

    #[test]
    fn an_exercise_without_a_page_and_a_page_without_an_exercise() {
        let fixture = with_an_exercise();
        fixture.write("exercises/02_two/check.rs", "");
        std::fs::remove_file(fixture.root().join("exercises/01_one/solution.rs"))
            .unwrap();
        let expected = [
            format!("{EXERCISE}:1: write exercises/01_one/solution.rs"),
            "exercises/02_two/check.rs:1: explain this exercise: write \
             chapters/exercises/02_two.md"
                .to_string(),
        ];
        assert_eq!(found(&fixture), expected);
    }

    in_order! {
        appendices_below_a_title:
            replace(SUMMARY, "---\n\n[Words]", "# Appendices\n\n- [Words]");
        pages_for_teachers_below_a_title:
            replace(SUMMARY, "---\n\n[Words]", "# For teachers\n\n- [Words]");
        a_line_between_parts:
            replace(SUMMARY, "- [Two]", "\n---\n\n- [Two]");
    }
}

mod anchors {
    use super::*;

    defects! {
        not_closed:
            replace(CODE, "// ANCHOR_END: spare\n", "")
            => CODE, 5, "close this with ANCHOR_END: spare";
        not_started:
            replace(CODE, "// ANCHOR: spare\n", "")
            => CODE, 6, "start an anchor spare above";
        ended_before_it_starts:
            write("a.py", "# ANCHOR_END: a\n# ANCHOR: a\npass\n# ANCHOR_END: a\n")
            => "a.py", 1, "start an anchor a above";
        twice:
            replace(CODE, "fn spare() {}", "# ANCHOR: listen\nx\n# ANCHOR_END: listen")
            => CODE, 6, "use another name";
        empty:
            replace(CODE, "fn spare() {}", "")
            => CODE, 5, "put something into the anchor spare";
    }

    in_order! {
        one_in_another:
            replace(CODE, "fn listen() {}", "1\n  # ANCHOR: in\n2\n  # ANCHOR_END: in");
        two_that_overlap:
            write("a.py", "#ANCHOR: a\n1\n#ANCHOR: b\n2\n#ANCHOR_END: a\n#ANCHOR_END: b");
    }
}

mod includes {
    use super::*;

    defects! {
        of_a_file_that_is_missing:
            replace(ONE, "net.rs:listen}}", "nut.rs:listen}}")
            => ONE, 12, "there is no text file src/nut.rs";
        of_an_anchor_that_is_missing:
            replace(ONE, "net.rs:listen}}", "net.rs:lesson}}")
            => ONE, 12, "src/net.rs has no anchor lesson";
        of_nothing:
            write("src/whole.rs", "\n")
            => ONE, 45, "src/whole.rs has nothing to show";
        of_a_whole_file_with_anchors:
            replace(ONE, "net.rs:listen}}", "net.rs}}")
            => ONE, 12, "include an anchor of src/net.rs";
        of_what_includes_something:
            replace(CODE, "fn listen() {}", concat!("//! `{{#", "include …}}`"))
            => ONE, 12, "say it without braces in src/net.rs";
        of_lines_by_number:
            replace(ONE, "net.rs:listen}}", "net.rs:2:3}}")
            => ONE, 12, "set an anchor in src/net.rs";
        from_outside_of_the_repository:
            replace(ONE, "../src/net.rs:listen", "../../src/net.rs:listen")
            => ONE, 12, "../../src/net.rs leads out";
        below_a_list:
            insert(ONE, "```rust\n", "  ")
            => ONE, 12, "put this alone on its line";
        in_a_sentence:
            replace(ONE, "The second one", "The `{{#include sessions/run.txt}}`")
            => ONE, 36, "put this alone on its line";
        of_text_outside_blocks:
            replace(ONE, "{{#include figures/wait.svg}}", "{{#include sessions/run.txt}}")
            => ONE, 29, "put this into a block";
        playground:
            replace(ONE, "#include ../src/net", "#playground ../src/net")
            => ONE, 12, "include a file instead of {{#playground}}";
    }

    #[test]
    fn of_a_file_whose_changes_are_not_seen() {
        let fixture = Fixture::new();
        fixture.write("peers/whole.rs", "fn whole() {}\n");
        let listing =
            "\n*peers/whole.rs*\n\n```rust\n{{#include ../peers/whole.rs}}\n```\n";
        fixture.insert(
            TWO,
            "*5 minutes. Before: [one](../one.md).*\n",
            &listing.replace("../", "../../"),
        );
        let expected = format!("{TWO}:8: add \"peers\" to extra-watch-dirs");
        let before = found(&fixture);
        assert!(before.len() == 1 && before[0].starts_with(&expected), "{before:#?}");
        fixture.replace(BOOK, "[\"src\"", "[\"peers\", \"src\"");
        assert_eq!(found(&fixture), Vec::<String>::new());
    }

    #[test]
    fn of_a_generated_table() {
        let fixture = Fixture::new();
        fixture.write("chapters/tables/run.txt", "| a |\n|---|\n| 1 |\n");
        let (figure, table) =
            ("{{#include figures/wait.svg}}", "{{#include tables/run.txt}}");
        fixture.replace(ONE, figure, table);
        assert_eq!(found(&fixture), Vec::<String>::new());
    }

    in_order! {
        with_hidden_lines:
            replace(ONE, "#include ../src/net", "#rustdoc_include ../src/net");
        escaped:
            replace(ONE, "The second one", "The `\\{{#include sessions/run.txt}}`");
    }
}

mod listings {
    use super::*;

    defects! {
        typed_by_hand:
            replace(ONE, "{{#include ../src/net.rs:listen}}", "fn listen() {}")
            => ONE, 12, "include this, do not type it: fn listen() {}";
        typed_beside_an_include:
            insert(ONE, "net.rs:listen}}", "\n// and so on")
            => ONE, 13, "include this, do not type it: // and so on";
        typed_as_python:
            replace(ONE, "```sh\ncargo run", "```python\nrun()")
            => ONE, 18, "include this, do not type it: run()";
        typed_in_a_quotation:
            replace(ONE, "The second one", "> ```rust\n> fn x() {}\n> ```\n\nThe second")
            => ONE, 37, "include this, do not type it";
        empty:
            replace(ONE, "{{#include ../src/net.rs:listen}}\n", "")
            => ONE, 11, "include something here";
        of_two_files:
            insert(ONE, "net.rs:listen}}", "\n{{#include ../src/whole.rs}}")
            => ONE, 13, "give src/whole.rs a block of its own: this is src/net.rs";
        without_caption:
            replace(ONE, "*src/net.rs: listening*, where it starts:", "It starts:")
            => ONE, 11, "name the file in a line above: *src/net.rs*";
        with_the_caption_of_another:
            replace(ONE, "*src/net.rs: listening*", "*src/nut.rs: listening*")
            => ONE, 9, "caption what is included: *src/net.rs*, not *src/nut.rs*";
        with_a_caption_from_the_page:
            replace(ONE, "*src/whole.rs*", "*../src/whole.rs*")
            => ONE, 42, "caption what is included: *src/whole.rs*";
        of_a_shell_script_without_caption:
            replace(ONE, "cargo run", "{{#include ../src/whole.rs}}")
            => ONE, 17, "name the file in a line above: *src/whole.rs*";
        in_no_language:
            replace(ONE, "```sh", "```")
            => ONE, 17, "say what this is, rust";
        in_a_language_by_another_name:
            replace(ONE, "```rust\n", "```rs\n")
            => ONE, 11, "say what this is, rust";
        not_closed:
            insert(WORDS, "run.rs:run}}\n```\n", "\n```text\nand so on")
            => WORDS, 20, "close this block";
        console_typed_by_hand:
            replace(ONE, "{{#include sessions/run.txt}}", "$ cargo run\nlistening")
            => ONE, 22, "include this, do not type it: $ cargo run";
        console_that_is_not_recorded:
            replace(ONE, "sessions/run.txt", "diffs/two.diff")
            => ONE, 22, "include one of sessions/*.txt";
        console_of_two_sessions:
            insert(ONE, "sessions/run.txt}}", "\n{{#include sessions/run.txt}}")
            => ONE, 23, "give each file a block of its own";
        console_of_an_empty_recording:
            write(SESSION, "")
            => ONE, 22, "chapters/sessions/run.txt has nothing to show";
        commands_with_a_prompt:
            replace(ONE, "cargo run", "cargo build\n$ cargo run")
            => ONE, 19, "write the command without `$ `";
        diff_typed_by_hand:
            replace(ONE, "{{#include diffs/two.diff}}", "-one\n+two")
            => ONE, 26, "include this, do not type it: -one";
        diff_that_is_not_generated:
            replace(ONE, "diffs/two.diff", "sessions/run.txt")
            => ONE, 26, "include one of diffs/*.diff";
        diff_that_shows_anchors:
            write(DIFF, "+// ANCHOR: two\n")
            => ONE, 26, "include an anchor of chapters/diffs/two.diff";
    }

    in_order! {
        of_two_anchors:
            insert(ONE, "net.rs:listen}}", "\n\n{{#include ../src/net.rs:spare}}");
        with_a_caption_below_prose:
            replace(ONE, "*src/whole.rs*", "That is all of it:\n*src/whole.rs*");
    }
}

mod links {
    use super::*;

    defects! {
        to_a_page_that_is_missing:
            replace(ONE, "two/index.md#the-end-1", "too/index.md")
            => ONE, 6, "mend this link: there is no file chapters/too/index.md";
        to_a_folder:
            replace(ONE, "two/index.md#the-end-1", "two")
            => ONE, 6, "mend this link: there is no file chapters/two";
        to_a_heading_that_is_missing:
            replace(ONE, "#the-end-1", "#the-end-2")
            => ONE, 6, "mend this link: chapters/two/index.md has no heading";
        to_a_heading_of_this_page_that_is_missing:
            replace(ONE, "#run-it", "#run")
            => ONE, 6, "mend this link: chapters/one.md has no heading #run";
        across_two_lines:
            replace(ONE, "../src/net.rs)", "../src/nut.rs)")
            => ONE, 6, "mend this link: there is no file src/nut.rs";
        by_a_label_that_is_not_defined:
            replace(ONE, "[words],", "[wards],")
            => ONE, 6, "define this link, `[wards]: …`";
        by_a_label_to_a_file_that_is_missing:
            replace(ONE, "[words]: words.md", "[words]: wards.md")
            => ONE, 40, "mend this link: there is no file chapters/wards.md";
        to_a_footnote_that_is_not_written:
            insert(ONE, "The second one", "[^1]")
            => ONE, 36, "define this link, `[^1]: …`";
        in_html:
            replace(ONE, "The second one", "<a href=\"nowhere.html\">The second</a>")
            => ONE, 36, "mend this link: there is no file chapters/nowhere.html";
        out_of_the_repository:
            replace(ONE, "two/index.md#the-end-1", "/two/index.md")
            => ONE, 6, "\"/two/index.md\" leads out of the repository";
        with_a_space:
            replace(ONE, "two/index.md#the-end-1", "two/index.md # the end")
            => ONE, 6, "a link with a space is none";
        to_this_computer:
            replace(ONE, "https://example.org/", "http://localhost:8000/")
            => ONE, 7, "write localhost:8000 as code";
        to_no_host:
            replace(ONE, "https://example.org/", "https:///example.org/")
            => ONE, 7, "mend this address";
        with_another_scheme:
            replace(ONE, "https://example.org/", "file://example.org/")
            => ONE, 7, "file: is nothing to link to";
        to_an_image_without_alternative:
            replace(ONE, "![Two clients wait]", "![]")
            => ONE, 31, "say what figures/wait.svg shows";
        to_an_image_that_is_missing:
            replace(ONE, "](figures/wait.svg)", "](figures/weight.svg)")
            => ONE, 31, "mend this link: there is no file chapters/figures/weight";
    }

    #[test]
    fn to_markdown_that_is_no_page() {
        let fixture = Fixture::new();
        fixture.write("README.md", "# Outside");
        fixture.replace(ONE, "two/index.md#the-end-1", "../README.md");
        let expected = "chapters/one.md:6: link to a page: \
            mdBook makes .html of \"../README.md\"";
        assert_eq!(found(&fixture), [expected]);
    }

    in_order! {
        with_a_title:
            replace(ONE, "#the-end-1)", "#the-end-1 \"The (very) end\")");
        with_parentheses:
            replace(ONE, "<https://example.org/a?b=c>", "[a](https://example.org/a_(b))");
        to_a_term:
            replace(ONE, "words.md#do_schedule", "words.md#ready-queue");
        to_an_id_in_html:
            replace(TWO, "## The end\n\n## The end\n", "<a id=\"the-end-1\"></a>\n");
        to_an_id_of_its_own:
            replace(WORDS, "## `do_schedule()`", "## `schedule()` {#do_schedule}");
        in_code:
            insert(ONE, "The second", "``[a][b] ` [^c] <http://localhost:8000>``");
        in_a_comment:
            replace(ONE, "The second one", "<!-- [a](b.md)\n[c][d] --> The second one");
        by_short_labels:
            replace(ONE, "[the schedule][words]", "[Words][] and [1, 2], *[words]*");
        to_a_footnote:
            insert(ONE, "The second one", "[^1]\n\n[^1]: Or the third.\n");
    }
}

mod figures {
    use super::*;

    defects! {
        without_role:
            replace(FIGURE, "role=\"img\" ", "")
            => FIGURE, 1, "say in the first tag what this is";
        without_title:
            replace(FIGURE, "<title id=\"wait-title\">Two clients</title>\n", "")
            => FIGURE, 1, "name the id of a <title> with text";
        with_an_empty_description:
            replace(FIGURE, "The second waits for the first.", " ")
            => FIGURE, 1, "name the id of a <desc> with text";
        with_labels_that_are_missing:
            insert(FIGURE, "wait-title wait-desc", "ription")
            => FIGURE, 1, "name the id of a <desc> with text";
        with_a_colour:
            replace(FIGURE, "stroke=\"currentColor\"", "stroke=\"#000\"")
            => FIGURE, 4, "take currentColor or var(--…): stroke=\"#000\"";
        with_a_colour_in_a_style:
            replace(FIGURE, "fill: var(--bg, none)", "opacity: 1; fill: red")
            => FIGURE, 4, "take currentColor or var(--…): style=";
        with_a_colour_for_want_of_another:
            replace(FIGURE, "var(--bg, none)", "var(--bg, white)")
            => FIGURE, 4, "take currentColor or var(--…): style=";
        with_a_colour_of_a_gradient:
            replace(FIGURE, "stroke=\"currentColor\"", "stop-color='navy'")
            => FIGURE, 4, "take currentColor or var(--…): stop-color=";
        with_an_id_that_others_may_have:
            replace(FIGURE, "id=\"wait-arrow\"", "id=\"arrow\"")
            => FIGURE, 4, "call it wait-arrow";
        with_a_picture_from_elsewhere:
            replace(FIGURE, "href=\"#wait-arrow\"", "href=\"arrow.png\"")
            => FIGURE, 5, "refer to nothing outside";
        with_a_pattern_from_elsewhere:
            replace(FIGURE, "stroke=\"currentColor\"", "mask=\"url('a.svg#b')\"")
            => FIGURE, 4, "refer to nothing outside";
        with_an_address:
            replace(FIGURE, "stroke=\"currentColor\"", "data-by=\"https://example.org\"")
            => FIGURE, 4, "refer to nothing outside";
        with_a_style_sheet:
            replace(FIGURE, "</svg>", "<style>path { fill: red }</style>\n</svg>")
            => FIGURE, 6, "do without <style>";
        with_an_empty_line:
            replace(FIGURE, "<use ", "\n<use ")
            => FIGURE, 5, "drop the empty line";
        with_a_first_tag_of_two_lines:
            replace(FIGURE, " fill=\"none\">\n", "\n fill=\"none\">\n")
            => FIGURE, 1, "begin with the whole tag in one line";
        close_to_the_text:
            insert(ONE, "{{#include figures/wait.svg}}\n", "So:\n")
            => ONE, 29, "leave a line empty above and below";
        missing:
            replace(ONE, "figures/wait.svg}}", "figures/weight.svg}}")
            => ONE, 29, "there is no text file chapters/figures/weight.svg";
    }

    #[test]
    fn of_the_same_name() {
        let fixture = Fixture::new();
        let figure = std::fs::read_to_string(fixture.root().join(FIGURE)).unwrap();
        fixture.write("chapters/two/figures/wait.svg", &figure);
        let expected = "chapters/two/figures/wait.svg:1: \
            use another name: ids begin with it, and are taken";
        assert_eq!(found(&fixture), [expected]);
    }

    in_order! {
        in_a_frame:
            replace(ONE, "figures/wait.svg}}\n", "figures/wait.svg}}\n</figure>\n");
        with_its_namespace:
            insert(FIGURE, "<svg ", "xmlns=\"http://www.w3.org/2000/svg\" ");
        elsewhere:
            write("chapters/theme/favicon.svg", "<svg fill=\"red\"/>");
    }
}

mod players {
    use super::*;

    defects! {
        without_an_id:
            replace(ONE, "id=\"played\" ", "")
            => ONE, 50, "give this player its id";
        without_a_label:
            replace(ONE, "label=\"One client\"", "label=\"\"")
            => ONE, 50, "give this player its label";
        not_closed:
            replace(ONE, "\n</trace-player>\n", "")
            => ONE, 50, "close this <trace-player>";
        without_an_empty_line:
            replace(ONE, "One client\">\n", "One client\">")
            => ONE, 50, "leave a line empty below this";
        without_a_recording:
            replace(ONE, "application/x-jsonlines\">\n{{#include traces/run.jsonl", "text/x-rust\" \
                data-file=\"src/run.rs\">\n{{#include ../src/run.rs")
            => ONE, 50, "put a recording into this player";
        without_text:
            replace(ONE, "{{#include traces/run.txt}}", "one step")
            => ONE, 50, "show chapters/traces/run.txt to who has no JavaScript";
        without_the_source:
            replace(RECORDING, "src/run.rs", "src/whale.rs")
            => ONE, 50, "include src/whale.rs, which chapters/traces/run.jsonl names";
        of_what_is_no_recording:
            insert(ONE, "x-jsonlines\">\n", "{{#include sessions/run.txt}}\n</script>\n\n\
                <script type=\"application/x-jsonlines\">\n")
            => ONE, 57, "include one of traces/*.jsonl here";
        in_a_script_that_runs:
            replace(ONE, " type=\"application/x-jsonlines\"", "")
            => ONE, 57, "say what this is: type=";
        in_a_script_that_is_not_closed:
            replace(ONE, "run.jsonl}}\n</script>", "run.jsonl}}\n\n</script>")
            => ONE, 57, "put </script> below this";
        that_ends_its_script:
            insert(RECORDING, "\"v\":1,", "\"data\":\"</script>\",")
            => ONE, 57, "chapters/traces/run.jsonl has \"</script\"";
        that_includes_more:
            insert(RECORDING, "\"v\":1,", "\"data\":\"{{#include x}}\",")
            => ONE, 57, "chapters/traces/run.jsonl has \"{{#\"";
        with_the_source_of_another:
            replace(ONE, "data-file=\"src/run.rs\"", "data-file=\"src/nut.rs\"")
            => ONE, 61, "this is data-file=\"src/run.rs\", not \"src/nut.rs\"";
        linked_to_by_something_else:
            replace(ONE, "[below](#run-it)", "[below](#played@x)")
            => ONE, 6, "mend this link: chapters/one.md has no heading #played@x";
        linked_to_behind_its_end:
            replace(ONE, "[below](#run-it)", "[step 2](#played@2)")
            => ONE, 6, "mend this link: the recording of #played has no step 2";
    }

    in_order! {
        linked_to:
            replace(ONE, "[below](#run-it)", "[step 1](#played@1)");
        of_two_recordings:
            insert(ONE, "run.jsonl}}\n</script>", "\n\n\
                <script type=\"application/x-jsonlines\">\n\
                {{#include traces/run.jsonl}}\n</script>");
    }
}

mod pages {
    use super::*;

    defects! {
        without_title:
            replace(WORDS, "# Words", "Words")
            => WORDS, 1, "begin with the title";
        with_a_title_that_is_not_first:
            replace(WORDS, "# Words", "So:\n\n# Words")
            => WORDS, 1, "begin with the title";
        with_two_titles:
            replace(ONE, "## Run it", "# Run it")
            => ONE, 15, "a page has one title";
        with_a_level_skipped:
            replace(ONE, "## Run it", "### Run it")
            => ONE, 15, "do not skip a level: make this ## …";
        with_a_heading_by_mistake:
            replace(ONE, "The second one, as `!=` says.\n", "The second one.\n---\n")
            => ONE, 37, "leave a line empty above this";
        with_an_exclamation:
            replace(ONE, "The second one, as `!=` says.", "The second, as `it` says!")
            => ONE, 36, "say it without an exclamation mark";
        with_a_quoted_exclamation:
            replace(ONE, "The second one, as `!=` says.", "“The second!” it says.")
            => ONE, 36, "say it without an exclamation mark";
    }

    in_order! {
        with_marks_that_are_no_exclamations:
            replace(ONE, "The second one", "> [!NOTE]\n> A `panic!` where a != b,\n");
        with_hashes_in_code:
            replace(ONE, "cargo run", "# This is no title.\ncargo run");
    }
}

mod answers {
    use super::*;

    defects! {
        not_closed:
            replace(ONE, "</details>", "")
            => ONE, 33, "close this <details>";
        not_opened:
            insert(ONE, "</details>", "\n</details>")
            => ONE, 39, "drop this: no <details> is open";
        without_summary:
            replace(ONE, "<summary>Who waits?</summary>\n", "")
            => ONE, 33, "say in a <summary> what is folded";
        with_an_empty_summary:
            replace(ONE, "Who waits?", "<b></b>")
            => ONE, 34, "say in the <summary> what is folded";
        that_are_not_rendered:
            replace(ONE, "</summary>\n\n", "</summary>\n")
            => ONE, 34, "leave a line empty below this";
        beside_the_summary:
            replace(ONE, "</summary>\n\n", "</summary> Nobody.\n\n")
            => ONE, 34, "leave a line empty below this";
    }

    in_order! {
        with_marked_summary:
            replace(ONE, "<details>\n<summary>Who", "<details><summary><b>Who</b>");
        in_an_answer:
            insert(ONE, "says.\n", "<details>\n<summary>`x`</summary>\n\n</details>\n");
    }
}

mod notes {
    use super::*;

    defects! {
        not_closed:
            replace(ONE, "</aside>\n", "")
            => ONE, 66, "close this <aside>";
        not_opened:
            insert(ONE, "</aside>\n", "\n</aside>\n")
            => ONE, 72, "drop this: no <aside> is open";
        in_another:
            insert(ONE, "for the answers.\n", "\n<aside class=\"teacher\">\n\nAnd wait.\n")
            => ONE, 70, "close the <aside> above first";
        for_nobody:
            replace(ONE, "<aside class=\"teacher\">", "<aside>")
            => ONE, 66, "say whom this is for: <aside class=\"teacher\">";
        that_are_not_rendered:
            replace(ONE, "\"teacher\">\n\n", "\"teacher\">\n")
            => ONE, 66, "leave a line empty above and below this";
        whose_end_is_not_seen:
            replace(ONE, "answers.\n\n</aside>", "answers.\n</aside>")
            => ONE, 69, "leave a line empty above this";
        with_a_heading:
            insert(ONE, "for the answers.\n", "\n## The answers\n")
            => ONE, 70, "write no heading into a note for the teacher";
        of_nothing:
            replace(ONE, "Wait for the answers.", "—")
            => ONE, 66, "write something into this note";
        too_long:
            insert(ONE, "for the answers.\n", &format!("{}\n", "more ".repeat(117)))
            => ONE, 66, "121 words are no note: 120 at most";
    }

    in_order! {
        with_code:
            insert(ONE, "for the answers.\n", "\n```sh\ncargo run\n```\n");
        are_not_read_by_readers:
            replace(TWO, ".*\n", &format!(".*\n{}", "\n<aside class=\"teacher\">\n\nword \
                word word\n\n</aside>\n".repeat(400)));
    }
}

mod commands {
    use super::*;

    defects! {
        of_a_server_that_is_missing:
            replace(ONE, "cargo run\n", "cargo run --bin 01_one -- --quiet\n")
            => ONE, 18, "there is no server 01_one";
        of_an_example_that_is_missing:
            replace(ONE, "cargo run\n", "cargo run\ncargo run --example talk  # twice\n")
            => ONE, 19, "there is no example talk";
        of_a_test_that_is_missing:
            replace(ONE, "cargo run\n", "cargo test --test book one\n")
            => ONE, 18, "there is no test book";
        of_a_break_that_is_missing:
            replace(ONE, "cargo run\n", "cargo xtask break one\n")
            => ONE, 18, "there is no break one";
    }

    in_order! {
        with_a_placeholder:
            replace(ONE, "cargo run\n", "cargo xtask break NAME\n");
        with_a_comment:
            replace(ONE, "cargo run\n", "cargo run  # not --bin one\n");
    }

    #[test]
    fn of_what_is_there() {
        let fixture = Fixture::new();
        fixture.write("examples/talk.rs", "");
        fixture.write("chapters/breaks/one.patch", "");
        let commands = "cargo run --example talk\ncargo xtask break one\n";
        fixture.replace(ONE, "cargo run\n", commands);
        assert_eq!(found(&fixture), Vec::<String>::new());
    }
}

mod lessons {
    use super::*;

    const LESSON: &str = "chapters/teachers/lesson_01.md";

    /// A book with a lesson.
    fn with_a_lesson() -> Fixture {
        let fixture = Fixture::new();
        let text = "# One\n\n## Goal\n\nA.\n\n## On the screen\n\nB.\n\n## Type\n\n\
            ```sh\ncargo run\n```\n\n## Ask\n\nC.\n\n## Mistakes to make\n\nD.\n\n\
            ## Where classes get stuck\n\nE.\n";
        fixture.write(LESSON, text);
        fixture.insert(SUMMARY, "\n---\n", "\n[Lesson](teachers/lesson_01.md)\n");
        fixture
    }

    #[test]
    fn lessons() {
        assert_eq!(found(&with_a_lesson()), Vec::<String>::new());
        let break_it = [
            ("## Ask", "## Questions", "give a lesson these sections"),
            ("## Ask\n\nC.\n\n", "", "give a lesson these sections"),
            ("\nE.\n", "", "25: write something below this"),
            ("```sh\ncargo run\n```\n", "X.\n", "11: say what to type"),
        ];
        for (old, new, message) in break_it {
            let fixture = with_a_lesson();
            fixture.replace(LESSON, old, new);
            let found = found(&fixture);
            assert!(found.len() == 1 && found[0].contains(message), "{found:#?}");
        }
    }
}

mod timetables {
    use super::*;

    defects! {
        with_the_minutes_of_another_page:
            replace(ONE, "| 5 | [Words](words.md)", "| 6 | [Two](two/index.md)")
            => ONE, 74, "what is linked to takes 5 minutes, not 6";
        with_the_minutes_of_one_of_two_pages:
            replace(ONE, "[Words](words.md) |", "[Two](two/index.md#the-end), [one](one.md) |")
            => ONE, 74, "what is linked to takes 10 minutes, not 5";
        with_a_wrong_beginning:
            replace(ONE, "| 0:05 | 10 |", "| 0:06 | 10 |")
            => ONE, 75, "this begins at 0:05, not 0:06";
        with_a_wrong_end:
            replace(ONE, "| 0:15 | **15** |", "| 0:20 | **15** |")
            => ONE, 76, "this begins at 0:15, not 0:20";
        with_a_wrong_sum:
            replace(ONE, "**15**", "**20**")
            => ONE, 76, "the sum is **15**, not **20**";
        without_minutes:
            replace(ONE, "| 0:15 | **15** |", "| 0:15 | some | More |\n| 0:15 | **15** |")
            => ONE, 76, "say how many minutes this takes, not some";
    }

    #[test]
    fn of_a_page_that_takes_longer() {
        let fixture = Fixture::new();
        fixture.replace(ONE, "[Words](words.md) |", "[Two](two/index.md) |");
        assert_eq!(found(&fixture), Vec::<String>::new());
        fixture.replace(TWO, "*5 minutes", "*7 minutes");
        let expected = "chapters/one.md:74: what is linked to takes 7 minutes, not 5: write\n\
            | 0:00 | 7 | [Two](two/index.md) |\n\
            | 0:07 | 10 | A break |\n\
            | 0:17 | **17** | The end |";
        assert_eq!(found(&fixture), [expected]);
    }

    in_order! {
        with_another_below:
            insert(ONE, "| The end |\n", "\n| At | Minutes |\n|---|---|\n| 0:00 | **0** |\n");
        elsewhere:
            insert(WORDS, "go on\n", "\n| At | noon |\n|---|---|\n| 0:07 | now |\n");
    }
}

mod reading_time {
    use super::*;

    defects! {
        not_stated:
            replace(TWO, "*5 minutes. Before: [one](../one.md).*", "Hello.")
            => TWO, 3, "say how long it takes";
        without_what_comes_before:
            replace(TWO, " Before: [one](../one.md).", "")
            => TWO, 3, "say how long it takes";
        too_short:
            replace(TWO, "*5 minutes", "*4 minutes")
            => TWO, 3, "make this a page of 5 to 15 minutes, not 4";
        too_long:
            replace(ONE, "*5 minutes", "*16 minutes")
            => ONE, 3, "make this a page of 5 to 15 minutes, not 16";
        that_is_wrong:
            replace(TWO, "*5 minutes", "*8 minutes")
            => TWO, 3, "409 words take 4 minutes, not 8";
        of_too_few_words:
            replace(TWO, &"word ".repeat(400), "Word.")
            => TWO, 3, "make this a page of 300 to 1200 words, not 10";
        of_too_many_words:
            replace(TWO, &"word ".repeat(400), &"word ".repeat(1300))
            => TWO, 3, "make this a page of 300 to 1200 words, not 1309";
    }

    in_order! {
        of_code_is_not_counted:
            insert(TWO, ".*\n", &format!("\n```text\n{}\n```\n", "word ".repeat(1300)));
        of_tags_is_not_counted:
            insert(TWO, ".*\n", &format!("\n<b {}></b>\n", "word ".repeat(1300)));
        of_an_appendix_is_free:
            replace(WORDS, "**ready queue**", &"word ".repeat(1300));
    }
}

mod recordings {
    use super::*;

    defects! {
        of_a_source_that_has_moved_on:
            insert("src/run.rs", "fn run() {", " ")
            => RECORDING, 1, "src/run.rs has moved on: run `cargo xtask record`";
        of_nothing:
            write("chapters/traces/other.jsonl", "nothing")
            => "chapters/traces/other.jsonl", 1, "name the source in \"src\"";
    }
}

mod unshown {
    use super::*;
    use crate::unshown::Exception;

    const OLD: &str = "src/old.rs";
    const NEW: &str = "src/new.rs";

    defects! {
        below_what_is_shown:
            insert(CODE, "// ANCHOR_END: rest\n", "\n/// More.\nfn more() {\n}\n")
            => CODE, 11, "show and explain src/net.rs:11-12 on a page";
        between_what_is_shown:
            insert(CODE, "// ANCHOR_END: listen\n", "const N: u8 = 1;\n")
            => CODE, 4, "show and explain src/net.rs:4-4 on a page";
        in_a_file_of_its_own:
            write("src/net/more.rs", "use std::io;\nfn more() {}\n")
            => "src/net/more.rs", 2, "show and explain src/net/more.rs:2-2 on a page";
    }

    #[test]
    fn but_need_not_be() {
        let fixture = Fixture::new();
        let why = "it is generated";
        let found = |exceptions: &[Exception]| check(fixture.root(), exceptions);
        assert_eq!(found(&[("src/more/", why)]).len(), 0);
        assert_eq!(found(&[("src/net.rs", why)])[0].path, "tests/book/unshown.rs");
        fixture.write("src/more/tables.rs", "fn more() {}\n");
        assert_eq!(found(&[]).len(), 1);
        assert_eq!(found(&[("src/more/", why)]).len(), 0);
    }

    #[test]
    fn but_beside_a_recording() {
        let fixture = Fixture::new();
        let listing = "*src/run.rs*\n\n```rust\n{{#include ../src/run.rs:run}}\n```\n";
        fixture.replace(WORDS, listing, "");
        assert_eq!(
            found(&fixture),
            ["src/run.rs:2: show and explain src/run.rs:2-2 on a page"]
        );
    }

    #[test]
    fn by_a_diff_either() {
        let fixture = Fixture::new();
        let lines =
            ["a", "b", "c", "d", "e", "f"].map(|name| format!("fn {name}() {{}}\n"));
        fixture.write(OLD, &lines.concat());
        fixture.write(NEW, &format!("{}fn g() {{}}\n", lines.concat()));
        fixture.write(DIFF, "--- src/old.rs\n+++ src/new.rs\n@@ -5,2 +5,3 @@\n");
        let expected = [
            "src/new.rs:1: show and explain src/new.rs:1-4 on a page",
            "src/old.rs:1: show and explain src/old.rs:1-6 on a page",
        ];
        assert_eq!(found(&fixture), expected);

        // What a page shows of the older file is shown of the newer one, too.
        let listing = "\n*src/old.rs*\n\n```rust\n{{#include ../src/old.rs}}\n```\n";
        fixture.insert(WORDS, ": what can go on\n", listing);
        assert_eq!(found(&fixture), Vec::<String>::new());
    }

    in_order! {
        that_say_nothing:
            insert(CODE, "// ANCHOR_END: rest\n", "\n}\n    });\n");
        of_tests:
            insert(CODE, "// ANCHOR_END: rest\n", "\n#[cfg(test)]\nmod tests {\n    fn x() {}\n}\n");
        that_say_where_a_name_is_from:
            insert(CODE, "// ANCHOR_END: rest\n", "\n#[cfg(unix)]\npub use a::{\n    b,\n};\n");
        outside_of_the_library:
            write("xtask/src/main.rs", "fn main() {}\n");
    }
}

mod chapters {
    use super::*;

    const STAGE: &str = "chapters/01_one/index.md";

    /// A book with the chapter of a stage.
    fn with_a_stage() -> Fixture {
        let fixture = Fixture::new();
        let question = |n| {
            format!(
                "{n}. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   \
                 Because.\n\n   </details>\n\n"
            )
        };
        let questions: String = (1..=5).map(question).collect();
        let text = format!(
            "# Stage\n\n*5 minutes. Before: nothing.*\n\n```sh\ncargo run\n```\n\n\
             **Predict first.** {}\n\n```console\n{{{{#include ../sessions/run.txt}}}}\n\
             ```\n\n{{{{#include ../figures/wait.svg}}}}\n\n\
             ## Check yourself\n\n{questions}## What comes next\n\n[More](../two/index.md).\n",
            "word ".repeat(400)
        );
        fixture.write(STAGE, &text);
        fixture.insert(SUMMARY, "- [One](one.md)\n", "- [Stage](01_one/index.md)\n");
        fixture
    }

    #[test]
    fn of_a_stage() {
        assert_eq!(found(&with_a_stage()), Vec::<String>::new());
        let break_it = [
            ("cargo run", "make", "let the reader run something in this chapter"),
            ("```console\n{{#include ../sessions/run.txt}}\n```\n", "", "show in this"),
            ("{{#include ../figures/wait.svg}}\n", "", "draw a figure"),
            ("Predict", "Look", "let the reader predict something"),
            ("## What comes next", "## More", "end with ## What comes next"),
            ("two/index.md", "one.md", "lead to the page that comes next: chapters/two"),
            (
                "5. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   Because.\n\n   \
                 </details>\n",
                "",
                "ask 5 questions in this chapter, not 4",
            ),
        ];
        for (old, new, message) in break_it {
            let fixture = with_a_stage();
            fixture.replace(STAGE, old, new);
            let found = found(&fixture);
            assert!(found.len() == 1 && found[0].contains(message), "{old}: {found:#?}");
        }
        let fixture = with_a_stage();
        fixture.replace(STAGE, "## Check yourself", "## Questions");
        let found = found(&fixture);
        let last = "chapters/01_one/index.md:1: end with questions: ## Check yourself";
        assert!(found.len() == 2 && found[1] == last, "{found:#?}");
    }

    defects! {
        of_a_first_part_that_is_too_short:
            replace(SUMMARY, "- [One](one.md)\n", "# Part one: all\n\n- [One](one.md)\n")
            => SUMMARY, 1, "make the first part 15,000 to 25,000 words, not";
    }
}
