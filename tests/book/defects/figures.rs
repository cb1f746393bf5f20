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
