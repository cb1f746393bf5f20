// What a recording says (chapters/appendix/trace_format.md): the state after each line, its
// sentence, and questions. Pure functions: tests/browser/fold.test.js runs them.
(() => {
"use strict";

const VERSION = 2;
const MOST_LINES = 20_000;

// Where a task can wait.
const LISTS = ["ready", "read", "write", "timer", "kernel"];

// The calls that do something.
const DIRECT = ["accept", "recv", "send"];

// What lines of each kind must have: a task is a number, the others are text.
const NEEDS = {
  spawn: "task name", resume: "task", yield: "task want", park: "task on", happened: "task op",
  call: "task call", not_yet: "task", wake: "task", finish: "task", enter: "call", leave: "call",
};

// -- Reading

// The header, the events (a `step` is a line's number), and by file the lines of source that
// they name. An error tells a reader what is wrong.
function read(text) {
  const all = text.trim().split("\n");
  const notes = [];
  const events = [];
  if (all.length > MOST_LINES) {
    notes.push(`It has ${all.length} lines. These are the first ${MOST_LINES}.`);
    all.length = MOST_LINES;
  }
  all.forEach((line, at) => {
    try {
      events.push(parse(line, at + 1));
    } catch (error) {
      const isCutOff = at > 0 && at === all.length - 1 && error instanceof SyntaxError;
      if (!isCutOff) throw new Error(`Line ${at + 1}: ${error.message}`);
      notes.push(`Its last line is cut off.`);
    }
  });
  const [header, ...steps] = events;
  const lines = new Map();
  for (const { file = header.src, line } of steps) {
    if (line) lines.set(file, (lines.get(file) ?? new Set()).add(line));
  }
  return { header, events, lines, notes };
}

function parse(line, step) {
  const event = JSON.parse(line);
  const complain = (message) => { throw new Error(message); };
  if (typeof event?.e !== "string") complain('this is no step: it has no "e".');
  if (step === 1 && event.e !== "trace") complain('a recording begins with "e":"trace".');
  if (step === 1 && event.v !== VERSION) {
    complain(`this is a recording in version ${event.v} of the format, not ${VERSION}: ` +
      "record it again with --trace, by a server of this version of the repository");
  }
  for (const field of NEEDS[event.e]?.split(" ") ?? []) {
    const type = field === "task" ? "number" : "string";
    if (typeof event[field] !== type) complain(`"${event.e}" needs a "${field}", a ${type}.`);
  }
  return { ...event, step, t: Number(event.t) || 0 };
}

// -- Folding

const NOTHING = {
  tasks: new Map(), // those that have not finished: their names, and where they are suspended
  running: null, // the task that runs
  held: null, // the task whose event the scheduler has in its hand
  calling: null, // the system call that the scheduler makes for it
  ...Object.fromEntries(LISTS.map((list) => [list, []])), // { task, fd }, or with its result
  calls: new Map(), // by thread: the system call that it is in, or was in last
  wakers: false, // its tasks are futures
  polls: false, // it asks what is ready, so that no other call sleeps
  clients: new Map(), // by number: descriptor, bytes received and echoed
  echoed: 0,
  says: "", // what has happened last, in words
  wrong: null, // what a checkpoint says otherwise
};

// The state after each event. What does not change is shared between them.
function fold({ events }) {
  let state = { ...NOTHING, wakers: events.some((it) => it.e === "wake") };
  return events.map((event) => {
    const says = sentence(event, state);
    const wrong = event.e === "state" ? compare(state, event) : null;
    return (state = { ...(APPLY[event.e]?.(state, event) ?? state), says, wrong });
  });
}

const APPLY = {
  spawn: (state, { task, name }) => put(change(state, task, { name }), "ready", { task }),
  resume: (state, { task }) => ({ ...change(without(state, task), task, {}), running: task }),
  yield: (state, { task, want, fd, file, line }) => ({
    ...change(without(state, task), task, { want, fd, file, line }), held: task,
  }),
  park: (state, { task, on, fd, also }) => put(state, on, { task, fd }, also),
  wake: (state, { task }) => put(state, "ready", { task }),
  call: (state, { task, call, file, line }) => (state.running === task
    ? change(state, task, { file, line })
    : { ...without(state, task), held: task, calling: call }),
  not_yet: (state) => ({ ...state, calling: null }),
  happened: (state, event) => {
    const { task, op, len = null, error } = event;
    if (state.running === task) return count(state, event);
    const result = error ?? (op === "accept" ? [...state.clients.values()].at(-1) : len);
    return count(put(state, "ready", { task, with: result }), event);
  },
  finish: (state, { task }) => {
    const tasks = new Map(state.tasks);
    tasks.delete(task);
    return { ...without(state, task), tasks };
  },
  enter: (state, event) => ({
    ...state, held: null,
    polls: state.polls || !DIRECT.includes(event.call),
    calls: new Map(state.calls).set(event.th ?? 1, { asked: event, isAsleep: true }),
  }),
  leave: (state, event) => {
    const { th = 1, call } = event;
    const { asked = event } = state.calls.get(th) ?? {};
    const calls = new Map(state.calls).set(th, { asked, isAsleep: false });
    return count({ ...state, calls }, { ...event, op: { recv: "read", send: "write" }[call] });
  },
  accept: (state, { conn, fd }) => ({
    ...state,
    clients: new Map(state.clients).set(conn, { client: conn, fd, received: 0, echoed: 0 }),
  }),
  close: (state, { fd }) => client(state, fd, () => ({ fd: "closed" })),
};

function without(state, task) {
  const next = { ...state };
  for (const list of LISTS) {
    const isIt = (it) => it.task === task;
    if (state[list].some(isIt)) next[list] = state[list].filter((it) => !isIt(it));
  }
  if (state.running === task) next.running = null;
  if (state.held === task) next.held = next.calling = null;
  return next;
}

function put(state, list, entry, also) {
  if (!LISTS.includes(list)) return state;
  const next = also ? { ...state } : without(state, entry.task);
  const key = (it) => it.fd ?? it.task;
  next[list] = [...next[list], entry];
  if (list !== "ready") next[list].sort((a, b) => key(a) - key(b));
  return next;
}

function change(state, id, what) {
  const task = { ...state.tasks.get(id), id, ...what };
  return { ...state, tasks: new Map(state.tasks).set(id, task) };
}

// Changes the client that has this descriptor.
function client(state, fd, update) {
  const it = [...state.clients.values()].find((client) => client.fd === fd);
  if (!it) return state;
  return { ...state, clients: new Map(state.clients).set(it.client, { ...it, ...update(it) }) };
}

function count(state, { op, fd, len = 0 }) {
  const add = (field) => client(state, fd, (it) => ({ [field]: it[field] + len }));
  if (op === "read") return add("received");
  return op === "write" ? { ...add("echoed"), echoed: state.echoed + len } : state;
}

// What a checkpoint says otherwise than the fold; null if they agree.
function compare(state, said) {
  const mine = { tasks: `${state.tasks.size}` };
  const theirs = { tasks: `${said.running}` };
  for (const list of LISTS) {
    mine[list] = state[list].map(({ fd, task }) => (fd ? `${fd}:${task}` : task)).join(" ");
    theirs[list] = (said[list] ?? []).map((it) => [it].flat().join(":")).join(" ");
  }
  const wrong = Object.keys(mine).filter((it) => mine[it] !== theirs[it]);
  return wrong.map((it) => `${it}: [${mine[it]}], recorded [${theirs[it]}]`).join("; ") || null;
}

// -- Words

const DO = {
  accept: ["accept", "from"], read: ["receive", "from"], write: ["send", "to"],
  wake: ["be woken"],
};
const PARKED = {
  timer: "among the timers",
  kernel: "to the kernel, as an operation",
};
const END = "the end of input";

const bytes = (n) => `${n} byte${n === 1 ? "" : "s"}`;
const join = (words, and) =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} ${and} ${words.at(-1)}` : `${words}`;

// What has moved: 2 bytes, "a\n".
function moved({ len, data }) {
  if (!len) return END;
  return bytes(len) + (data ? `, ${JSON.stringify(data)}${len > data.length ? " …" : ""}` : "");
}

// What is sent into a task.
function result(data) {
  if (data === undefined) return "start";
  if (data === null) return "nothing";
  if (typeof data === "number") return data ? bytes(data) : END;
  return typeof data === "string" ? `the error ${data}` : `descriptor ${data.fd}`;
}

function span(ns) {
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]].find(([it]) => ns >= it) ?? [1, "ns"];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

function sentence(event, before) {
  const thread = event.th === undefined ? "" : `Thread ${event.th}: `;
  return thread + (SAYS[event.e]?.(event, before) ?? `(${event.e})`);
}

const SAYS = {
  trace: ({ stage }) => `The recording of ${stage ?? "a server"} begins.`,
  spawn: ({ task, name }, { running, wakers }) => {
    const does = wakers ? "spawned" : "submitted";
    const who = running === null ? "" : ` by task ${running}`;
    return `Task ${task}, ${name}, is ${does}${who}: onto the ready queue.`;
  },
  resume: ({ task, with: data }, { tasks, wakers }) => {
    const { want } = tasks.get(task) ?? {};
    if (wakers) return `Task ${task} is polled${want ? " again" : ""}.`;
    if (!want) return `Task ${task} is primed: it runs to its first event.`;
    return `Task ${task} is resumed${data === null ? "" : ` with ${result(data)}`}.`;
  },
  yield: ({ task, want, fd, len, line }, { wakers }) => {
    const [verb, where] = DO[want] ?? [want];
    const words = [verb, len ? bytes(len) : "", where, fd].filter((it) => it);
    const does = `${wakers ? "is pending" : "yields"}${line ? ` at line ${line}` : ""}`;
    return `Task ${task} ${does}: it wants to ${words.join(" ")}.`;
  },
  park: ({ task, on, fd }, { wakers }) => {
    const who = wakers ? `The waker of task ${task} goes` : `Task ${task} and its event go`;
    return `${who} ${PARKED[on] ?? `onto the ${on}-waiting table, under ${fd}`}.`;
  },
  wake: ({ task }) => `The waker of task ${task} is called: onto the ready queue.`,
  call: (event, { running }) => {
    const { task, call, fd, len } = event;
    const what = `${call}${len ? ` of ${moved(event)}` : ""} on ${fd}`;
    return running === task ? `Task ${task} calls ${what}.` : `For task ${task}, ${what} is called.`;
  },
  not_yet: ({ task, left }) =>
    `${left ? `There is no room for ${bytes(left)}` : "Not yet"}: task ${task} has to wait.`,
  happened: (event, { running, clients }) => {
    const { task, op, fd, error } = event;
    const done = `on ${fd} has happened:`;
    const what = {
      accept: `accept ${done} client ${clients.size} is here.`,
      read: `recv ${done} ${moved(event)}.`,
      write: `send ${done} ${moved(event)}.`,
      close: `The close of ${fd} is over.`,
      sleep: `The time has come.`,
    }[op];
    const failed = `The ${op}${fd === undefined ? "" : ` on ${fd}`} fails: ${error}.`;
    const next = running === task ? "goes on" : "and this result go onto the ready queue";
    return `${error ? failed : what} Task ${task} ${next}.`;
  },
  finish: ({ task, panicked }) =>
    panicked ? `Task ${task} panics. The others go on.` : `Task ${task} finishes.`,
  accept: ({ fd, peer, conn }) =>
    `Client ${conn} (${peer}) is connected: its descriptor is ${fd}.`,
  close: ({ fd }) => `Descriptor ${fd} is closed.`,
  stop: () => "A graceful stop begins: nobody waits for anything new.",
  enter: (event, { polls, kernel }) => {
    const { call, r, w = [], fd, timeout } = event;
    if (DIRECT.includes(call)) {
      const until = { accept: "a client comes", recv: "something comes", send: "there is room" };
      const what = call === "send" ? ` with ${moved(event)}` : "";
      const sleeps = polls ? "" : ` The thread sleeps until ${until[call]}.`;
      return `${call} on ${fd} is called${what}.${sleeps}`;
    }
    const most = timeout === undefined ? "" : `, for ${span(timeout)} at most`;
    const sleeps = timeout === 0
      ? "It does not sleep: there is work to go on with."
      : `The thread sleeps until something is${most}.`;
    if (!r) return `${call} is asked what is ${kernel.length ? "done" : "ready"}. ${sleeps}`;
    const asked = [];
    if (r.length > 0) asked.push(`can ${join(r, "or")} be read`);
    if (w.length > 0) asked.push(`can ${join(w, "or")} be written`);
    return `${call} is asked: ${asked.join(", ") || "nothing"}? ${sleeps}`;
  },
  leave: (event, before) => {
    const { call, r, w = [], fd, len, error } = event;
    const on = fd === undefined || r ? call : `${call} on ${fd}`;
    if (error) return `${on} fails: ${error}.`;
    if (call === "recv") return `${on} returns ${moved(event)}.`;
    if (call === "send") return `${on} returns: ${bytes(len)} are on their way.`;
    if (!r) return `${on} returns.`;
    const said = [];
    const tasks = [];
    for (const [fds, table, word] of [[r, "read", "readable"], [w, "write", "writable"]]) {
      const are = fds.length > 1 ? "are" : "is";
      if (fds.length > 0) said.push(`${join(fds, "and")} ${are} ${word}`);
      for (const { task } of before[table].filter((it) => fds.includes(it.fd))) {
        const { want } = before.tasks.get(task);
        tasks.push(`task ${task} can ${DO[want]?.[0] ?? want}`);
      }
    }
    if (said.length === 0) return `${call} returns: nothing is ready that anybody waits for.`;
    return `${call} says ${said.join(", ")}${tasks.length > 0 ? `: ${join(tasks, "and")}` : ""}.`;
  },
};

// -- Questions

// What a reader may predict before this event; null if there is nothing to choose from.
function question(event, before) {
  const choices = CHOICES[event.e]?.(event, before) ?? [];
  const text = event.e === "resume" ? "Which task runs next?" : `What will ${event.call} say?`;
  return choices.length > 1 ? { text, choices } : null;
}

const CHOICES = {
  resume: ({ task }, { tasks }) =>
    [...tasks.values()].map((it) => (
      { label: `task ${it.id}, ${it.name}`, isRight: it.id === task })),
  leave: ({ r, w = [], th = 1 }, before) => {
    const { asked } = before.calls.get(th) ?? {};
    if (!r || !asked) return null;
    const choose = (fds, table, word, said) =>
      (fds ?? before[table].map((it) => it.fd))
        .map((fd) => ({ label: `${fd} is ${word}`, isRight: said.includes(fd) }));
    const nothing = { label: "nothing is ready", isRight: r.length + w.length === 0 };
    return [
      ...choose(asked.r, "read", "readable", r), ...choose(asked.w, "write", "writable", w),
      ...(asked.timeout === undefined ? [] : [nothing]),
    ];
  },
};

// -- Two recordings

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

// Where two recordings part, but for times, addresses and checkpoints; null if nowhere.
function difference(a, b) {
  const shape = ({ t, step, peer, sha, ...rest }) => JSON.stringify(rest);
  const shapes = ({ events }) =>
    events.flatMap((event, at) => (event.e === "state" ? [] : [{ at, shape: shape(event) }]));
  const [x, y] = [shapes(a), shapes(b)];
  const longer = x.length > y.length ? x : y;
  const parted = longer.findIndex((_, at) => x[at]?.shape !== y[at]?.shape);
  return parted < 0 ? null : [x[parted]?.at, y[parted]?.at];
}

globalThis.TraceFold = { read, fold, question, align, difference, result, span };
})();
