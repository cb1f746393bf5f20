// What the player makes of a recording, without a browser: `node --test`.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { jsonLines, recording } from "./fixture.js";

const root = new URL("../../", import.meta.url);
await import(new URL("chapters/theme/trace-fold.js", root));
const Fold = globalThis.TraceFold;

const made = (options) => Fold.read(jsonLines(recording(options)));
const lists = (state) => ({
  ready: state.ready.map((it) => it.task),
  read: state.read.map((it) => [it.fd, it.task]),
  write: state.write.map((it) => [it.fd, it.task]),
});
const sentences = (played) => {
  const said = Fold.fold(played).map((it) => it.says);
  return said.filter((_, at) => played.events[at].e !== "state");
};

test("a task is in one place at a time", () => {
  const states = Fold.fold(made({ clients: 3, rounds: 2 }));
  for (const state of states) {
    const places = ["ready", "read", "write", "timer", "kernel"]
      .flatMap((list) => state[list].map((it) => it.task));
    places.push(...[state.running, state.held].filter((it) => it !== null));
    assert.deepEqual(places.sort(), [...state.tasks.keys()].sort());
  }
});

test("the states are those that the checkpoints say", () => {
  const played = made({ clients: 3, rounds: 2 });
  const states = Fold.fold(played);
  assert.ok(played.events.filter((it) => it.e === "state").length > 10);
  assert.deepEqual(states.filter((it) => it.wrong), []);
});

test("a checkpoint that says otherwise is found", () => {
  const changes = {
    running: (it) => it + 1,
    ready: () => [2],
    read: (it) => it.slice(1),
    write: () => [[9, 3]],
    timer: () => [2],
  };
  for (const [field, change] of Object.entries(changes)) {
    const events = recording();
    const state = events.find((it) => it.e === "state");
    state[field] = change(state[field]);
    const states = Fold.fold(Fold.read(jsonLines(events)));
    assert.equal(states.filter((it) => it.wrong).length, 1, field);
  }
});

test("going back shows what was there, whatever has been looked at since", () => {
  const played = made({ clients: 2 });
  const before = JSON.stringify(Fold.fold(played).map(lists));
  const states = Fold.fold(played);
  states.slice(1).forEach((_, at) => Fold.question(played.events[at + 1], states[at]));
  assert.equal(JSON.stringify(states.map(lists)), before);
});

test("the life of one wake-up", () => {
  const said = sentences(made());
  const from = said.indexOf("select says 5 is readable: task 3 can receive.");
  assert.deepEqual(said.slice(from + 1, from + 6), [
    "For task 3, recv on 5 is called.",
    "recv on 5 has happened: 6 bytes, \"hello\\n\". Task 3 and this result go onto the ready queue.",
    "Task 3 is resumed with 6 bytes.",
    "Task 3 yields at line 72: it wants to send 6 bytes to 5.",
    "Task 3 and its event go onto the write-waiting table, under 5.",
  ]);
});

test("what clients send is shown as a program would write it", () => {
  const text = "</script>{{#include x}}&\u0000\u00ff\\\n";
  assert.ok(sentences(made({ text })).some((it) => it.includes(JSON.stringify(text))));
});

test("a call that comes too early, or for too much, leaves its task waiting", () => {
  const lines = [
    { t: 0, e: "trace", v: 2 },
    { t: 1, e: "spawn", task: 1, name: "one" },
    { t: 2, e: "resume", task: 1, with: null },
    { t: 3, e: "yield", task: 1, want: "write", fd: 5, len: 900, data: "x" },
    { t: 4, e: "call", task: 1, call: "send", fd: 5, len: 900, data: "x" },
    { t: 5, e: "not_yet", task: 1, left: 300 },
    { t: 6, e: "park", task: 1, on: "write", fd: 5 },
    { t: 7, e: "call", task: 1, call: "send", fd: 5, len: 300, data: "x" },
    { t: 8, e: "not_yet", task: 1 },
    { t: 9, e: "park", task: 1, on: "write", fd: 5 },
    { t: 10, e: "state", running: 1, ready: [], read: [], write: [[5, 1]], timer: [], kernel: [] },
  ];
  const states = Fold.fold(Fold.read(jsonLines(lines)));
  assert.deepEqual(states.map((it) => it.wrong), Array(11).fill(null));
  assert.deepEqual(states.slice(4).map((it) => [it.held, it.calling, it.write.length]), [
    [1, "send", 0], [1, null, 0], [null, null, 1], [1, "send", 0], [1, null, 0], [null, null, 1], [null, null, 1],
  ]);
  assert.equal(states[4].says, 'For task 1, send of 900 bytes, "x" … on 5 is called.');
  assert.equal(states[5].says, "There is no room for 300 bytes: task 1 has to wait.");
  assert.equal(states[8].says, "Not yet: task 1 has to wait.");
});

test("a task that makes its calls itself runs on, and is at their line", () => {
  const lines = [
    { t: 0, e: "trace", v: 2 },
    { t: 1, e: "spawn", task: 1, name: "one" },
    { t: 2, e: "resume", task: 1, with: null },
    { t: 3, e: "call", task: 1, call: "recv", fd: 5, line: 7 },
    { t: 4, e: "happened", task: 1, op: "read", fd: 5, len: 2, data: "x\n", line: 7 },
    { t: 5, e: "yield", task: 1, want: "read", fd: 5, line: 9 },
    { t: 6, e: "park", task: 1, on: "read", fd: 5 },
    { t: 7, e: "wake", task: 1 },
  ];
  const states = Fold.fold(Fold.read(jsonLines(lines)));
  const at = states.map((it) => [it.running, it.tasks.get(1)?.line]);
  assert.deepEqual(at.slice(2, 6), [[1, undefined], [1, 7], [1, 7], [null, 9]]);
  assert.equal(states[3].says, "Task 1 calls recv on 5.");
  assert.equal(states[4].says, 'recv on 5 has happened: 2 bytes, "x\\n". Task 1 goes on.');
});

test("steps and fields that came later are passed over", () => {
  const events = recording();
  events.splice(5, 0, { t: 1, e: "sighs", deeply: true });
  const states = Fold.fold(Fold.read(jsonLines(events)));
  assert.deepEqual(states.filter((it) => it.wrong), []);
});

test("calls of threads are where the threads are", () => {
  const played = Fold.read(jsonLines([
    { t: 0, e: "trace", v: 2, stage: "02_threads" },
    { t: 1, e: "enter", call: "accept", fd: 3, th: 1, line: 40 },
    { t: 2, e: "leave", call: "accept", fd: 3, th: 1 },
    { t: 2, e: "accept", fd: 4, peer: "127.0.0.1:50001", conn: 1 },
    { t: 3, e: "enter", call: "recv", fd: 4, th: 2, line: 80 },
    { t: 4, e: "leave", call: "recv", fd: 4, th: 2, len: 3, data: "hi\n" },
    { t: 5, e: "enter", call: "send", fd: 4, th: 2, len: 3, data: "hi\n", line: 90 },
    { t: 6, e: "leave", call: "send", fd: 4, th: 2, len: 3 },
  ]));
  const last = Fold.fold(played).at(-1);
  assert.deepEqual([...last.calls].map(([thread, it]) => [thread, it.asked.line]), [[1, 40], [2, 90]]);
  assert.deepEqual(last.clients.get(1), { client: 1, fd: 4, received: 3, echoed: 3 });
  const said = sentences(played);
  assert.equal(said[1], "Thread 1: accept on 3 is called. The thread sleeps until a client comes.");
  assert.equal(said[5], "Thread 2: recv on 4 returns 3 bytes, \"hi\\n\".");
});

test("a malformed recording is refused with the place and the reason", () => {
  const whole = jsonLines(recording()).split("\n");
  const change = (at, line) => whole.with(at, line).join("\n");
  const cases = [
    ["", /^Line 1: /],
    ["hello", /^Line 1: /],
    ["[1,2]", /^Line 1: this is no step/],
    ["null", /^Line 1: this is no step/],
    [whole.slice(1).join("\n"), /^Line 1: a recording begins with/],
    [change(0, '{"t":0,"e":"trace","v":1}'), "Line 1: this is a recording in version 1 of the format, not 2: record it " +
      "again with --trace, by a server of this version of the repository"],
    [change(4, whole[4].slice(0, 9)), /^Line 5: /],
    [change(4, '{"t":1,"e":"yield","want":"read"}'), /^Line 5: "yield" needs a "task", a number/],
    [change(4, '{"t":1,"e":"spawn","task":"x","name":"y"}'), /^Line 5: "spawn" needs a "task"/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => Fold.read(text), { message }, text.slice(0, 40));
  }
});

test("a last line that is cut off is left out, and that is said", () => {
  const text = jsonLines(recording()).slice(0, -20);
  const played = Fold.read(text);
  assert.equal(played.events.length, recording().length - 1);
  assert.match(played.notes[0], /cut off/);
});

test("a very long recording is shown in part, and that is said", () => {
  const line = '{"t":1,"e":"stop"}\n';
  const played = Fold.read(`{"t":0,"e":"trace","v":2}\n${line.repeat(20_000)}`);
  assert.equal(played.events.length, 20_000);
  assert.match(played.notes[0], /20001 lines/);
});

test("the trace knows the answers to its questions", () => {
  const played = made({ clients: 2 });
  const states = Fold.fold(played);
  let asked = 0;
  played.events.forEach((event, at) => {
    const question = at > 0 ? Fold.question(event, states[at - 1]) : null;
    if (!question) return;
    asked += 1;
    const right = question.choices.filter((it) => it.isRight).map((it) => it.label);
    const expected = event.e === "resume"
      ? [`task ${event.task}, ${states[at - 1].tasks.get(event.task).name}`]
      : [...event.r.map((fd) => `${fd} is readable`), ...event.w.map((fd) => `${fd} is writable`)];
    assert.deepEqual(right, expected);
  });
  assert.ok(asked > 15, `${asked}`);
});

test("a wait with a time-out may end without anybody", () => {
  const before = { calls: new Map([[1, { asked: { r: [3], w: [], timeout: 5 } }]]), read: [], write: [] };
  const { choices } = Fold.question({ e: "leave", call: "select", r: [], w: [] }, before);
  assert.deepEqual(choices.filter((it) => it.isRight).map((it) => it.label), ["nothing is ready"]);
});

test("two recordings are aligned on the bytes that they have echoed", () => {
  const states = (options) => Fold.fold(made(options));
  const [a, b] = [states({ clients: 1, rounds: 3 }), states({ clients: 3, rounds: 1 })];
  const pairs = Fold.align(a, b);
  for (const [i, j] of pairs) assert.equal(a[i].echoed, b[j].echoed);
  for (const [side, length] of [[0, a.length], [1, b.length]]) {
    const seen = pairs.map((it) => it[side]);
    assert.deepEqual([...new Set(seen)], [...Array(length).keys()], "each step, in order");
  }
});

test("what one of two never echoes is waited out", () => {
  const [a, b] = [[0, 1, 5], [0, 5, 5, 7]].map((all) => all.map((echoed) => ({ echoed })));
  assert.deepEqual(Fold.align(a, b), [[0, 0], [1, 0], [2, 1], [2, 2], [2, 3]]);
});

test("where two recordings part", () => {
  const events = recording();
  const mine = structuredClone(events);
  mine.forEach((it) => { it.t *= 3; if (it.peer) it.peer = "127.0.0.1:9"; });
  mine[0].sha = "f".repeat(40);
  const read = (lines) => Fold.read(jsonLines(lines));
  assert.equal(Fold.difference(read(mine), read(events)), null, "not in times and addresses");
  const at = mine.findIndex((it) => it.op === "read");
  mine[at] = { ...mine[at], len: 2, data: "h\n" };
  const [a, b] = Fold.difference(read(mine), read(events));
  assert.deepEqual([a, b], [at, at]);
  assert.equal(Fold.difference(read(events.slice(0, -1)), read(events))[0], undefined);
});

test("the book's recordings are in order, and each step has its sentence", () => {
  const folder = new URL("chapters/traces/", root);
  const names = readdirSync(folder).filter((it) => it.endsWith(".jsonl"));
  assert.ok(names.length > 0);
  for (const name of names) {
    const played = Fold.read(readFileSync(new URL(name, folder), "utf8"));
    assert.deepEqual(played.notes, [], name);
    assert.deepEqual(Fold.fold(played).filter((it) => it.wrong), [], name);
    for (const said of sentences(played)) {
      assert.doesNotMatch(said, /undefined|null|NaN|^\(|\[object/, `${name}: ${said}`);
    }
  }
});

test("player, fold and styles are small", () => {
  const files = ["trace-fold.js", "trace-player.js", "trace-player.css"];
  const sizes = files.map((it) => readFileSync(new URL(`chapters/theme/${it}`, root)).length);
  const all = sizes.reduce((a, b) => a + b);
  assert.ok(all < 40_500, `${all} bytes`);
});
