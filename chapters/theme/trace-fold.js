// What a recording says (chapters/appendix/trace_format.md): the state after each line, and
// questions. Pure functions: tests/browser/fold.test.js runs them.
(() => {
"use strict";

const VERSION = 2;
const MOST_LINES = 20_000;

// Where a task can wait.
const LISTS = ["ready", "read", "write", "timer", "kernel"];

// The calls that do something.
const DIRECT = ["accept", "recv", "send"];

// The header, the events, and by file the lines of source that they name. An error is for a reader.
function read(text) {
  const all = text.trim().split("\n");
  const notes = [];
  const events = [];
  if (all.length > MOST_LINES) notes.push(`Of its ${all.length} lines, these are the first ${MOST_LINES}.`);
  all.slice(0, MOST_LINES).forEach((line, at) => {
    try {
      events.push({ ...JSON.parse(line), step: at + 1 });
    } catch (error) {
      if (at === 0 || at < all.length - 1) throw new Error(`Line ${at + 1}: ${error.message}`);
      notes.push("Its last line is cut off.");
    }
  });
  const [header] = events;
  if (header.e !== "trace" || header.v !== VERSION) {
    throw new Error(`Line 1: this is no recording in version ${VERSION} of the format: ` +
      "record with --trace, by a server of this version of the repository");
  }
  const odd = events.find(({ e, task = 0 }) => !e?.trim || task !== Number(task));
  if (odd) throw new Error(`Line ${odd.step}: this is no step`);
  const lines = new Map();
  for (const { file = header.src, line } of events) {
    if (line) lines.set(file, (lines.get(file) ?? new Set()).add(line));
  }
  return { header, events, lines, notes };
}

const NOTHING = {
  tasks: new Map(), // by number: the event that says where it is suspended, and its name
  running: null, // a task
  held: null, // the task whose event the scheduler has in its hand
  calling: null, // the system call that it makes for it
  phase: null, // of its round: run, wait, happen, timers
  lit: null, // the task or thread that is at its line now
  mail: null, // what it has been resumed with
  buffers: [], // what the kernel holds: { fd, holds }
  ...Object.fromEntries(LISTS.map((list) => [list, []])), // { task, fd }, or with its result
  calls: new Map(), // by thread: the system call that it is in, or was in last
  clients: new Map(), // by number: descriptor, bytes received and echoed
  echoed: 0,
  wrong: null, // what a checkpoint says otherwise
};

// The state after each event. What is in a state is never changed, so the others can share it.
function fold({ events }) {
  let state = NOTHING;
  return events.map((event, at) => {
    state = { ...state, mail: null, wrong: null, lit: event.e === "accept" ? state.lit : null };
    APPLY[event.e]?.(state, event, events, at);
    return state;
  });
}

const APPLY = {
  spawn(s, event) {
    note(s, event);
    put(s, "ready", { task: event.task });
  },
  resume(s, { task }) {
    s.mail = s.ready.find((it) => it.task === task)?.with;
    take(s, task);
    s.running = s.lit = task;
    s.phase = "run";
  },
  yield(s, event) {
    take(s, event.task);
    note(s, event);
    s.held = s.lit = event.task;
  },
  park(s, event) {
    if (!event.also) take(s, event.task);
    if (LISTS.includes(event.on)) put(s, event.on, event);
  },
  wake(s, { task }) {
    reach(s, isIn(s.timer, task) ? "timers" : "happen");
    take(s, task);
    put(s, "ready", { task });
  },
  call(s, event, events, at) {
    const { task, call, fd } = event;
    if (s.running === task) {
      note(s, event);
      s.lit = task;
    } else {
      reach(s, "happen");
      take(s, task);
      s.held = task;
      s.calling = `${call} on ${fd}`;
    }
    // What it is about to take lies in the kernel.
    const result = call === "recv" && following(events, at, task);
    if (result?.len) hold(s, fd, moved(result));
  },
  not_yet(s, { task }) {
    hold(s, s.tasks.get(task)?.fd);
    s.calling = null;
  },
  happened(s, event) {
    const { task, op, fd, len, error } = event;
    hold(s, fd, op === "write" && !error && `${moved({ ...s.tasks.get(task), len })}, on the way`);
    count(s, event);
    if (s.running === task) {
      s.lit = task;
      return;
    }
    reach(s, s.held === task || isIn(s.kernel, task) ? "happen" : "timers");
    take(s, task);
    const done = { accept: [...s.clients.values()].at(-1), read: moved(event) }[op];
    put(s, "ready", { task, with: error ?? done ?? len ?? null });
  },
  finish(s, { task }) {
    take(s, task);
    s.tasks = new Map(s.tasks);
    s.tasks.delete(task);
  },
  enter(s, event) {
    const { call, th = 1 } = event;
    s.held = null;
    called(s, th, { asked: event, isAsleep: true });
    if (!DIRECT.includes(call)) Object.assign(s, { phase: "wait", buffers: [] });
  },
  leave(s, event) {
    const { th = 1, call, r = [] } = event;
    const { asked = event } = s.calls.get(th) ?? {};
    called(s, th, { asked, isAsleep: false });
    s.buffers = r.map((fd) => ({ fd, holds: "something" }));
    count(s, { ...event, op: { recv: "read", send: "write" }[call] });
  },
  accept(s, { conn, fd }) {
    reach(s, "happen");
    s.clients = new Map(s.clients).set(conn, { client: conn, fd, received: 0, echoed: 0 });
  },
  close: (s, { fd }) => client(s, fd, () => ({ fd: "closed" })),
  stop(s) {
    s.phase = null;
  },
  // A checkpoint: what does it say otherwise?
  state(s, said) {
    const pair = ({ fd, task }) => (fd ? [fd, task] : task);
    const differs = (key, mine, theirs) =>
      (`${mine}` === `${theirs}` ? [] : `${key}: [${mine}], recorded [${theirs}]`);
    const all = LISTS.map((it) => differs(it, s[it].map(pair), said[it] ?? []));
    s.wrong = [differs("tasks", s.tasks.size, said.running), all].flat(2).join("; ") || null;
  },
};

const isIn = (list, task) => list.some((it) => it.task === task);

const following = (events, at, task, kinds) => events.find((it, i) =>
  i > at && it.task === task && (kinds?.includes(it.e) ?? true));

// What happens while the tasks run, or to end them, is no other part of the round.
function reach(s, phase) {
  if (["wait", "happen"].includes(s.phase)) s.phase = phase;
}

function note(s, event) {
  const { name } = s.tasks.get(event.task) ?? {};
  s.tasks = new Map(s.tasks).set(event.task, { name, ...event });
}

function take(s, task) {
  for (const list of LISTS) s[list] = s[list].filter((it) => it.task !== task);
  if (s.running === task) s.running = null;
  if (s.held === task) s.held = s.calling = null;
}

function put(s, list, entry) {
  const key = (it) => it.fd ?? it.task;
  s[list] = [...s[list], entry];
  if (list !== "ready") s[list].sort((a, b) => key(a) - key(b));
}

function hold(s, fd, holds) {
  s.buffers = s.buffers.filter((it) => it.fd !== fd);
  if (holds) s.buffers.push({ fd, holds });
}

// Without tasks, it is a thread that is at a line.
function called(s, thread, call) {
  s.calls = new Map(s.calls).set(thread, call);
  if (s.tasks.size === 0) s.lit = thread;
}

// Changes the client that has this descriptor.
function client(s, fd, update) {
  const it = [...s.clients.values()].find((client) => client.fd === fd);
  if (it) s.clients = new Map(s.clients).set(it.client, { ...it, ...update(it) });
}

function count(s, { op, fd, len = 0 }) {
  const field = { read: "received", write: "echoed" }[op];
  if (field) client(s, fd, (it) => ({ [field]: it[field] + len }));
  if (op === "write") s.echoed += len;
}

const CALLS = { accept: "accept", read: "recv", write: "send" };
const WISH = { accept: "accept on", read: "receive from", write: "send to" };

// What has moved, as a program would write it: 2 bytes "a\n".
function moved({ len, data }) {
  if (!len) return "the end of input";
  const text = data ? ` ${JSON.stringify(data + (len > data.length ? "…" : ""))}` : "";
  return `${len} byte${len === 1 ? "" : "s"}${text}`;
}

// What is sent into a task.
function result(data) {
  if (data === undefined) return "start";
  if (data === null) return "nothing";
  if (typeof data === "number") return moved({ len: data });
  return typeof data === "string" ? data : `descriptor ${data.fd}`;
}

function span(ns) {
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]].find(([it]) => ns >= it) ?? [1, "ns"];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

// A step, if nothing in the page has a sentence for it: its line.
function words({ e, t, step, ...rest }) {
  const fields = Object.entries(rest).map(([key, it]) => `${key} ${JSON.stringify(it)}`);
  return `${e}: ${fields.join(", ")}`;
}

// Whether its tasks are futures.
const wakes = (events) => events.some((it) => it.e === "wake");

// The parts of a scheduler's round, in their order.
function phases({ events }) {
  const wakers = wakes(events);
  const what = events.some((it) => it.on === "kernel") ? "operations" : "events";
  return {
    run: `${wakers ? "poll" : "run"} the ready tasks`,
    wait: events.find((it) => it.e === "enter")?.call ?? "select",
    happen: wakers ? "wakers are called" : `${what} happen`,
    timers: "timers",
  };
}

// What a reader may predict after a step, if anything. `code` has the text of a line.
function question({ events }, states, at, code = () => "") {
  const asked = ASK[events[at].e]?.(events[at], states[at], events, at, code);
  if (!asked) return null;
  const [text, right, labels, why] = asked;
  const choices = Object.entries(labels).map(([key, label]) =>
    ({ label, isRight: key === right, why: why[key] ?? why.other }));
  return { text, choices };
}

const PARKED = { timer: "among the timers", kernel: "to the kernel, as an operation" };

const key = ({ file = "", line }) => `${file} ${line}`;
const labels = (events, code) => Object.fromEntries(events.map((it) =>
  [key(it), `line ${it.line}: ${code(it.file, it.line)}`]));

const ASK = {
  // Which table?
  yield: ({ task, want, fd = "" }, state, events, at) => {
    const wakers = wakes(events);
    const next = following(events, at, task);
    if (!next || want === "wake") return null;
    const right = { park: next.on, call: "call" }[next.e] ?? "ready";
    const but = {
      call: "Here a send is tried at once, and its task waits only if there is no room.",
      ready: "There is nothing to wait for: it is over at once.",
      kernel: "The kernel gets the operation, and carries it out when it can.",
    }[right] ?? `Task ${task} wants to ${WISH[want] ?? want} ${fd}`.trim() + ".";
    return [`Where ${wakers ? "does the waker of" : "do the event and"} task ${task} go?`, right, {
      read: "onto the read-waiting table", write: "onto the write-waiting table",
      ready: "onto the ready queue", call: "nowhere: its call is made at once",
      ...(PARKED[right] && { [right]: PARKED[right] }),
    }, {
      read: `Tasks wait there to accept or to receive. ${but}`,
      write: `Tasks wait there to send. ${but}`,
      ready: `Tasks on it have a result, and can go on. ${but}`,
      call: `A call is made when it is known that it can be. ${but}`,
    }];
  },
  // Which line stops it next?
  resume: ({ task, with: data }, { tasks }, events, at, code) => {
    const next = following(events, at, task, ["yield", "finish"]);
    if (!next) return null;
    const now = tasks.get(task);
    const kin = events.filter((it) => it.e === "spawn" && it.name === now.name);
    const waits = events.filter((it) => it.e === "yield" && it.line && isIn(kin, it.task));
    const right = next.line ? key(next) : "end";
    const from = now.line ? `Resumed with ${result(data)}` : "From its beginning";
    return [`Which line stops task ${task} next?`, right, {
      ...labels(waits, code), end: "none: it finishes",
    }, {
      other: `${from}, it comes ${right === "end" ? "to its end" : "to another line"} first.`,
      end: "It has not come to the end of its function.",
      [key(now)]: "There it has been resumed: that wait is over.",
    }];
  },
  // Who makes the call?
  leave: ({ call: wait, r, th }, state, events, at, code) => {
    const wakers = wakes(events);
    const next = events.find((it, i) => i > at && ["call", "happened", "enter"].includes(it.e));
    if (next?.line && next.e === "enter") {
      const all = events.filter((it) => it.e === "enter");
      return ["Which line makes the next call?", key(next), labels(all, code),
        { other: "What this call has returned leads to another line." }];
    }
    const name = next?.e === "call" ? next.call : CALLS[next?.op];
    if (th || !name) return null;
    const { task, fd } = next;
    const right = !r ? "kernel" : wakers ? "task" : "loop";
    return [`Who calls ${name} on ${fd}?`, right, {
      ...(r && { wait }), loop: wakers ? "the executor" : "the scheduler",
      task: `task ${task}`, kernel: "the kernel",
    }, {
      wait: `${wait} only says what can be done. It moves no byte.`,
      loop: wakers ? `It has only a waker. Task ${task} is polled, and makes the call.`
        : "It has handed the operation over, and gets the result.",
      task: `Task ${task} is suspended, and its event is ${r ? "the scheduler’s" : "the kernel’s"}.`,
      kernel: `The kernel does nothing with ${fd} before a program makes the call.`,
    }];
  },
};

// The steps after which a client's bytes can be, or have been, received.
function arrivals({ events }) {
  const clients = new Set();
  const found = new Set();
  let back = null;
  events.forEach(({ e, fd, len, op, call }, at) => {
    if (e === "accept") clients.add(fd);
    if (e === "leave" && !DIRECT.includes(call)) back = at;
    if ((op === "read" || (e === "leave" && call === "recv")) && len > 0 && clients.has(fd)) {
      found.add(back ?? at);
    }
  });
  return [...found];
}

// Pairs of places in two lists of states that have echoed the same number of bytes.
function align(a, b) {
  const pairs = [];
  let from = [0, 0];
  const levels = [...a, ...b].map((it) => it.echoed).sort((x, y) => x - y);
  for (const level of new Set(levels)) {
    const to = [a, b].map((states) => states.findLastIndex((it) => it.echoed <= level) + 1);
    const steps = Math.max(to[0] - from[0], to[1] - from[1]);
    for (let step = 0; step < steps; step += 1) {
      pairs.push([0, 1].map((i) => Math.max(0, Math.min(from[i] + step, to[i] - 1))));
    }
    from = to;
  }
  return pairs;
}

globalThis.TraceFold = { read, fold, question, arrivals, wakes, phases, align, words, moved, result, span };
})();
