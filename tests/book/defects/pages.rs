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
