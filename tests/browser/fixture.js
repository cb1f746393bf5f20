// Recordings for the tests of the player, made up: the book itself shows real ones only. The
// steps are those of 04_scheduler with clients that take turns.

export function recording({ clients = 1, rounds = 1, text = "hello\n", end = true } = {}) {
  const lines = [];
  let t = 0;
  const add = (e, fields = {}) => {
    t += 1500;
    lines.push({ t, e, ...fields });
  };
  const read = new Map();
  const write = new Map();
  let running = 0;
  const spawn = (task, name) => {
    running += 1;
    add("spawn", { task, name });
  };
  const wait = (task, want, fd, line, sends = {}) => {
    add("yield", { task, want, fd, ...sends, line });
    const table = want === "write" ? write : read;
    table.set(fd, task);
    add("park", { task, on: want === "write" ? "write" : "read", fd });
  };
  const byFd = (table) => [...table].sort((a, b) => a[0] - b[0]);
  const select = (r, w) => {
    add("state", { running, ready: [], read: byFd(read), write: byFd(write), timer: [], kernel: [] });
    add("enter", { call: "select", r: byFd(read).map(([fd]) => fd), w: [...write.keys()] });
    if (w.length === 0) t += 250_000_000;
    add("leave", { call: "select", r, w });
  };
  const call = (op, fd, sends = {}) => {
    const table = op === "write" ? write : read;
    const task = table.get(fd);
    table.delete(fd);
    add("call", { task, call: { read: "recv", write: "send" }[op] ?? op, fd, ...sends });
    return task;
  };

  add("trace", { v: 2, stage: "04_scheduler", clock: "ns", src: SOURCE, sha: "0".repeat(40) });
  lines[0].t = 0;
  spawn(1, "echo_server");
  spawn(2, "stop_on_signal");
  add("resume", { task: 1, with: null });
  wait(1, "accept", 3, LINES.accept);
  add("resume", { task: 2, with: null });
  wait(2, "read", 4, LINES.signal);
  for (let conn = 1; conn <= clients; conn += 1) {
    const fd = 4 + conn;
    const task = 2 + conn;
    select([3], []);
    call("accept", 3);
    add("accept", { fd, peer: `127.0.0.1:${50000 + conn}`, conn });
    add("happened", { task: 1, op: "accept", fd: 3 });
    add("resume", { task: 1, with: { fd } });
    spawn(task, "client_handler");
    wait(1, "accept", 3, LINES.accept);
    add("resume", { task, with: null });
    wait(task, "read", fd, LINES.read);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (let conn = 1; conn <= clients; conn += 1) {
      const fd = 4 + conn;
      const bytes = { len: text.length, data: text };
      select([fd], []);
      const task = call("read", fd);
      add("happened", { task, op: "read", fd, ...bytes });
      add("resume", { task, with: text.length });
      wait(task, "write", fd, LINES.write, bytes);
      select([], [fd]);
      call("write", fd, bytes);
      add("happened", { task, op: "write", fd, len: text.length });
      add("resume", { task, with: text.length });
      wait(task, "read", fd, LINES.read);
    }
  }
  for (let conn = 1; end && conn <= clients; conn += 1) {
    const fd = 4 + conn;
    select([fd], []);
    const task = call("read", fd);
    add("happened", { task, op: "read", fd, len: 0, data: "" });
    add("resume", { task, with: 0 });
    add("yield", { task, want: "close", fd, line: LINES.close });
    add("happened", { task, op: "close", fd });
    add("close", { fd });
    add("resume", { task, with: null });
    add("finish", { task });
    running -= 1;
  }
  return lines;
}

const SOURCE = "src/bin/tasks/mod.rs";
const LINES = { accept: 30, signal: 99, read: 68, write: 72, close: 74 };

// As the file has it, with what could mean something in a page escaped.
export function jsonLines(events) {
  const escape = (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return events.map((it) => `${JSON.stringify(it).replace(/(?<=.)[<&]|\{(?=\{)/g, escape)}\n`).join("");
}
