use super::*;

defects! {
    not_closed:
        replace(SPARE, "// ANCHOR_END: spare\n", "")
        => SPARE, 1, "close this with ANCHOR_END: spare";
    not_started:
        replace(SPARE, "// ANCHOR: spare\n", "")
        => SPARE, 2, "start an anchor spare above";
    ended_before_it_starts:
        write("a.py", "# ANCHOR_END: a\n# ANCHOR: a\npass\n# ANCHOR_END: a\n")
        => "a.py", 1, "start an anchor a above";
    twice:
        insert(SPARE, "fn spare() {}\n", "# ANCHOR: spare\n")
        => SPARE, 3, "use another name";
    empty:
        replace(SPARE, "fn spare() {}", "")
        => SPARE, 1, "put something into the anchor spare";
    used_by_no_page:
        insert(CODE, "fn listen() {}\n", "// ANCHOR: in\n1\n// ANCHOR_END: in\n")
        => CODE, 3, "drop this mark: no page shows in";
    used_by_a_page_but_of_another_file:
        write("src/other.rs", "// ANCHOR: rest\n1\n// ANCHOR_END: rest\n")
        => "src/other.rs", 1, "drop this mark: no page shows rest";
    compared_by_no_diff:
        replace(DIFF, "src/net.rs:compared", "src/net.rs")
        => CODE, 7, "drop this mark: no page shows compared";
}

in_order! {
    one_in_another:
        replace(SPARE, "fn spare() {}", "1\n  # ANCHOR: in\n2\n  # ANCHOR_END: in");
    two_that_overlap:
        write("a.py", "#ANCHOR: a\n1\n#ANCHOR: b\n2\n#ANCHOR_END: a\n#ANCHOR_END: b");
}

#[test]
fn too_many_in_the_library() {
    let fixture = Fixture::new();
    let (mut code, mut page) = (String::new(), String::new());
    // Six marks are in the library already, and two in `src/run.rs`.
    for number in 0..146 {
        code += &format!("// ANCHOR: a{number}\n1\n// ANCHOR_END: a{number}\n");
        page += &format!("{{{{#include ../src/many.rs:a{number}}}}}\n");
    }
    fixture.write("src/many.rs", &code);
    let listing = format!("\n*src/many.rs*\n\n```rust\n{page}```\n");
    fixture.insert(WORDS, "net.rs:rest}}\n```\n", &listing);
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.insert(CODE, "fn listen() {}\n", "// ANCHOR: in\n1\n// ANCHOR_END: in\n");
    fixture.insert(WORDS, "net.rs:rest}}\n", "{{#include ../src/net.rs:in}}\n");
    assert_eq!(found(&fixture), ["src:1: drop some: 302 lines are marks, more than 300"]);
}
