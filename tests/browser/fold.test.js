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
  states.forEach((_, at) => Fold.question(played, states, at));
  assert.equal(JSON.stringify(states.map(lists)), before);
});

const at = (played, test) => played.events.findIndex(test);

test("bytes are where they are: in the kernel, the result, the mailbox, the event, and on their way", () => {
  const played = made();
  const states = Fold.fold(played);
  const hello = '6 bytes "hello\\n"';
  const from = at(played, (it) => it.e === "leave" && it.r[0] === 5);
  const steps = states.slice(from, from + 5);
  assert.deepEqual(steps.map((it) => it.buffers), [
    [{ fd: 5, holds: "something" }], [{ fd: 5, holds: hello }], [], [], [],
  ]);
  assert.deepEqual(steps.map((it) => it.ready.map((entry) => entry.with)), [[], [], [hello], [], []]);
  assert.deepEqual(steps.map((it) => it.mail), [null, null, null, hello, null]);
  assert.deepEqual([steps[4].held, steps[4].tasks.get(3).data], [3, "hello\n"]);
  const sent = at(played, (it) => it.op === "write");
  assert.deepEqual(states[sent].buffers, [{ fd: 5, holds: `${hello}, on the way` }]);
  const next = played.events.findIndex((it, i) => i > sent && it.e === "enter");
  assert.deepEqual(states[next].buffers, []);
});

test("a round has its parts in their order, and a step is in one of them", () => {
  const played = made();
  const states = Fold.fold(played);
  const from = at(played, (it) => it.e === "enter" && it.r.includes(5));
  const phases = states.slice(from, from + 7).map((it) => it.phase);
  assert.deepEqual(phases, ["wait", "wait", "happen", "happen", "run", "run", "run"]);
  assert.equal(states[1].phase, null, "before the first round");
  const lines = (...events) => Fold.fold(Fold.read(jsonLines([
    { e: "trace", v: 2 }, { e: "spawn", task: 1, name: "one" }, { e: "resume", task: 1, with: null }, ...events,
  ]))).map((it) => it.phase).slice(3);
  const sleep = [{ e: "yield", task: 1, want: "sleep" }, { e: "park", task: 1, on: "timer" }, { e: "enter", call: "select" },
    { e: "leave", call: "select", r: [], w: [] }, { e: "happened", task: 1, op: "sleep" }];
  assert.deepEqual(lines(...sleep), ["run", "run", "wait", "wait", "timers"]);
  const once = [{ e: "yield", task: 1, want: "write", fd: 5, len: 1 }, { e: "call", task: 1, call: "send", fd: 5, len: 1 },
    { e: "happened", task: 1, op: "write", fd: 5, len: 1 }];
  assert.deepEqual(lines(...once), ["run", "run", "run"], "what is tried at once");
});

test("a round's parts have the names of its stage", () => {
  const folder = new URL("chapters/traces/", root);
  const names = (name) => Object.values(Fold.phases(Fold.read(readFileSync(new URL(name, folder), "utf8"))));
  assert.deepEqual(names("04_one_client.jsonl"), ["run the ready tasks", "select", "events happen", "timers"]);
  assert.deepEqual(names("05_one_client.jsonl"), ["run the ready tasks", "epoll_wait", "events happen", "timers"]);
  assert.deepEqual(names("06_one_client.jsonl"), ["poll the ready tasks", "epoll_wait", "wakers are called", "timers"]);
  assert.deepEqual(names("07_one_client.jsonl"), ["run the ready tasks", "io_uring_enter", "operations happen", "timers"]);
});

test("a task is at its line where it stops and goes on, and not while other code runs", () => {
  const played = made();
  const states = Fold.fold(played);
  const lit = played.events.flatMap((it, i) => (states[i].lit === null ? [] : [it.e]));
  assert.deepEqual([...new Set(lit)], ["resume", "yield"]);
});

test("where the bytes of a client arrive", () => {
  const steps = (played) => Fold.arrivals(played).map((i) => played.events[i]);
  const found = steps(made({ clients: 2, rounds: 2 }));
  assert.deepEqual(found.map((it) => [it.e, it.r[0]]), [["leave", 5], ["leave", 6], ["leave", 5], ["leave", 6]]);
  const signal = { t: 1, e: "happened", task: 2, op: "read", fd: 4, len: 1, data: "x" };
  assert.deepEqual(steps(Fold.read(jsonLines([...recording(), signal]))).length, 1, "a signal is no client");
  const folder = new URL("chapters/traces/", root);
  for (const name of readdirSync(folder).filter((it) => it.endsWith(".jsonl"))) {
    const played = Fold.read(readFileSync(new URL(name, folder), "utf8"));
    assert.equal(steps(played).length, name.includes("one_client") ? 1 : 4, name);
  }
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
    [1, "send on 5", 0], [1, null, 0], [null, null, 1], [1, "send on 5", 0], [1, null, 0], [null, null, 1], [null, null, 1],
  ]);
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
  assert.deepEqual(states.map((it) => it.lit).slice(2), [1, 1, 1, 1, null, null]);
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
});

test("a malformed recording is refused with the place and the reason", () => {
  const whole = jsonLines(recording()).split("\n");
  const change = (at, line) => whole.with(at, line).join("\n");
  const cases = [
    ["", /^Line 1: /],
    ["hello", /^Line 1: /],
    ["[1,2]", /^Line 1: this is no recording/],
    ["null", /^Line 1: this is no recording/],
    [whole.slice(1).join("\n"), /^Line 1: this is no recording/],
    [change(0, '{"t":0,"e":"trace","v":1}'), /^Line 1: this is no recording in version 2 of the format: record with --trace/],
    [change(4, whole[4].slice(0, 9)), /^Line 5: /],
    [change(4, '{"t":1}'), "Line 5: this is no step"],
    [change(4, '{"t":1,"e":"spawn","task":"x","name":"y"}'), "Line 5: this is no step"],
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

const asks = (played) => {
  const states = Fold.fold(played);
  return played.events.flatMap((event, i) => {
    const asked = Fold.question(played, states, i, (_, line) => `code ${line}`);
    return asked ? [{ event, ...asked, right: asked.choices.find((it) => it.isRight).label }] : [];
  });
};

test("the trace knows the answers to its questions, and each wrong answer has its reason", () => {
  const asked = asks(made({ clients: 2 }));
  const texts = asked.map((it) => it.text);
  for (const text of ["Where do the event and task 3 go?", "Which line stops task 3 next?", "Who calls recv on 5?"]) {
    assert.ok(texts.includes(text), text);
  }
  for (const { text, choices } of asked) {
    assert.equal(choices.filter((it) => it.isRight).length, 1, text);
    assert.equal(new Set(choices.map((it) => it.label)).size, choices.length, text);
    assert.ok(choices.length > 1 && choices.every((it) => it.isRight || /\w.*\.$/.test(it.why)), text);
  }
  const of = (text) => asked.filter((it) => it.text === text).map((it) => it.right);
  assert.deepEqual([...new Set(of("Which line stops task 3 next?"))],
    ["line 68: code 68", "line 72: code 72", "line 74: code 74", "none: it finishes"]);
  assert.deepEqual([...new Set(of("Where do the event and task 3 go?"))],
    ["onto the read-waiting table", "onto the write-waiting table", "onto the ready queue"]);
  assert.deepEqual(of("Who calls accept on 3?"), ["the scheduler", "the scheduler"]);
});

test("without tasks, it asks which line makes the next call", () => {
  const played = Fold.read(readFileSync(new URL("chapters/traces/03_three_clients.jsonl", root), "utf8"));
  const asked = asks(played);
  assert.ok(asked.length > 20);
  for (const { event, text, right } of asked) {
    const next = played.events.find((it) => it.e === "enter" && it.step > event.step);
    assert.deepEqual([text, right], ["Which line makes the next call?", `line ${next.line}: code ${next.line}`]);
  }
});

test("who makes a call depends on the stage", () => {
  const folder = new URL("chapters/traces/", root);
  const right = (name, text) => {
    const asked = asks(Fold.read(readFileSync(new URL(`${name}_one_client.jsonl`, folder), "utf8")));
    return asked.filter((it) => text.test(it.text)).map((it) => it.right);
  };
  assert.deepEqual(["04", "05", "06", "07"].map((it) => right(it, /^Who calls recv/)[0]),
    ["the scheduler", "the scheduler", "task 3", "the kernel"]);
  const last = (name) => right(name, /^Where .* task 3 go/).map((it) => it.split(":")[0]);
  assert.ok(last("05").includes("nowhere") && !last("04").includes("nowhere"), "a send is tried at once");
  assert.ok(last("07").includes("to the kernel, as an operation"));
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

test("the book's recordings are in order", () => {
  const folder = new URL("chapters/traces/", root);
  const names = readdirSync(folder).filter((it) => it.endsWith(".jsonl"));
  assert.ok(names.length > 0);
  for (const name of names) {
    const played = Fold.read(readFileSync(new URL(name, folder), "utf8"));
    assert.deepEqual(played.notes, [], name);
    assert.deepEqual(Fold.fold(played).filter((it) => it.wrong), [], name);
  }
});

test("a step that no sentence is known for is shown as its line", () => {
  const [, event] = Fold.read('{"t":0,"e":"trace","v":2}\n{"t":1,"e":"call","task":3,"call":"recv","fd":8}').events;
  assert.equal(Fold.words(event), 'call: task 3, call "recv", fd 8');
});

// Those of the live scheduler are loaded by one page only.
test("all scripts of the book's theme together are small", () => {
  const folder = new URL("chapters/theme/", root);
  const scripts = readdirSync(folder).filter((it) => /^(?!live-).*\.js$/.test(it));
  const all = scripts.reduce((sum, it) => sum + readFileSync(new URL(it, folder)).length, 0);
  assert.ok(all < 48_000, `${all} bytes`);
});
