// Runs the program of the live scheduler's page. A line of the input is a scenario, or the number of a
// practice, or a recording, as JSON; so is a line of the output what came of it. For tests/live.rs.

import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const theme = new URL("../chapters/theme/", import.meta.url);
for (const name of ["live-program.js", "live-run.js", "trace-fold.js", "live-words.js"]) {
  runInThisContext(readFileSync(new URL(name, theme), "utf8"), name);
}
const program = await LiveRun.load(LIVE_PROGRAM);
const asked = readFileSync(0, "utf8").trim().split("\n").map((it) => JSON.parse(it));
for (const it of asked) {
  if (it.recording) {
    console.log(JSON.stringify([...LiveWords.sentences(TraceFold.read(it.recording))]));
  } else {
    console.log(typeof it === "number" ? program.practise(it) : program.play(it));
  }
}
