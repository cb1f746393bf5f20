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
