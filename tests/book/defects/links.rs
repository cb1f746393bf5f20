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
