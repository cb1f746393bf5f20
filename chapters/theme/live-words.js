// A sentence for each step of a recording of stage 04, as `playback/src/words.rs` has it. (In
// WebAssembly that would be larger than the scheduler.) tests/live.rs compares the two.
(() => {
"use strict";

const Fold = globalThis.TraceFold;
const VERBS = {
  accept: ["accept", "on "], read: ["receive", "from "], write: ["send", "to "],
};

function join(items, and) {
  const rest = items.slice(0, -1);
  return rest.length ? `${rest.join(", ")} ${and} ${items.at(-1)}` : items.join("");
}

const bytes = (count) => `${count} byte${count === 1 ? "" : "s"}`;
const named = ({ len, data }) => {
  if (!len) return "the end of input";
  const shown = [...(data ?? "")].map((c) => {
    const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "'": "\\'" }[c];
    return known ?? (/[ -~]/.test(c) ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
  });
  return data ? `${bytes(len)} "${shown.join("")}${len > data.length ? "…" : ""}"` : bytes(len);
};

function resume({ task, with: data }, { tasks }) {
  if (!tasks.get(task)?.want) return `Task ${task} is primed: it runs to its first event.`;
  if (data === null) return `Task ${task} is resumed.`;
  const what = typeof data === "string" ? data : data === 0 ? "the end of input"
    : typeof data === "number" ? bytes(data) : `descriptor ${data.fd}`;
  return `Task ${task} is resumed with ${what}.`;
}

function enter({ call, r, w, timeout }) {
  const asks = [[r, "read"], [w, "written"]].filter(([fds]) => fds.length > 0)
    .map(([fds, word]) => `can ${join(fds, "or")} be ${word}`);
  const most = timeout === undefined ? "" : `, for ${Math.ceil(timeout / 1e6)} ms at most`;
  const sleeps = timeout === 0 ? "It does not sleep: there is work to go on with."
    : `The thread sleeps until something is${most}.`;
  return `${call} is asked: ${asks.join(", ") || "nothing"}? ${sleeps}`;
}

function leave({ call, r, w }, state) {
  const said = [];
  const can = [];
  for (const [fds, table, word] of [[r, state.read, "readable"], [w, state.write, "writable"]]) {
    if (fds.length) said.push(`${join(fds, "and")} ${fds.length > 1 ? "are" : "is"} ${word}`);
    for (const { task } of fds.flatMap((fd) => table.filter((it) => it.fd === fd))) {
      const { want } = state.tasks.get(task);
      can.push(`task ${task} can ${VERBS[want]?.[0] ?? want}`);
    }
  }
  if (!said.length) return `${call} returns: nothing is ready.`;
  return `${call} says ${said.join(", ")}${can.length ? `: ${join(can, "and")}` : ""}.`;
}

function happened({ task, op, fd, len, data, error }) {
  const on = fd === undefined ? "" : ` on ${fd}`;
  const what = error ? `The ${op}${on} fails: ${error}.` : {
    accept: () => `accept on ${fd} has happened: a client.`,
    read: () => `recv on ${fd} has happened: ${named({ len, data })}.`,
    write: () => `send on ${fd} has happened: ${bytes(len)}.`,
    sleep: () => "The time has come.",
    close: () => `The close of ${fd} is over.`,
  }[op]();
  return `${what} Task ${task} and this result go onto the ready queue.`;
}

const SAY = {
  spawn: ({ task, name }, { running }) =>
    `Task ${task}, ${name}, is submitted${running ? ` by task ${running}` : ""}: onto the ready queue.`,
  resume,
  yield: (it) => {
    const [verb, on] = VERBS[it.want] ?? [it.want, ""];
    const sends = it.len === undefined ? "" : ` ${named(it)}`;
    const line = it.line ? ` at line ${it.line}` : "";
    return `Task ${it.task} yields${line}: it wants to ${verb}${sends}${it.fd === undefined ? "" : ` ${on}${it.fd}`}.`;
  },
  park: ({ task, on, fd }) => `Task ${task} and its event go ${
    on === "timer" ? "among the timers" : `onto the ${on}-waiting table, under ${fd}`}.`,
  call: (it) => `For task ${it.task}, the scheduler calls ${it.call} on ${it.fd}${it.len ? `, with ${named(it)}` : ""}.`,
  not_yet: ({ task, left }) =>
    `Not yet: task ${task} has to wait${left === undefined ? "" : `, with ${bytes(left)} left`}.`,
  happened,
  finish: ({ task, panicked }) => (panicked ? `Task ${task} has panicked. The others go on.` : `Task ${task} finishes.`),
  enter,
  leave,
  accept: ({ fd, peer, conn }) => `Client ${conn} has descriptor ${fd} (${peer}).`,
  close: ({ fd }) => `Descriptor ${fd} is closed.`,
  stop: () => "A graceful stop begins: no task waits for anything new.",
};

// By the number of the step.
function sentences(recording) {
  const states = Fold.fold(recording);
  const said = recording.events.map((it, at) => [it.step, SAY[it.e]?.(it, states[at - 1])]);
  return new Map(said.filter(([, it]) => it));
}

globalThis.LiveWords = { sentences };
})();
