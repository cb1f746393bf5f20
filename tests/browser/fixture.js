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
  const wait = (task, want, fd, line, len) => {
    add("yield", { task, want, fd, ...(len === undefined ? {} : { len }), line });
    const table = want === "write" ? write : read;
    table.set(fd, task);
    add("park", { task, on: want === "write" ? "write" : "read", fd });
  };
  const byFd = (table) => [...table].sort((a, b) => a[0] - b[0]);
  const select = (r, w) => {
    add("state", { running, ready: [], read: byFd(read), write: byFd(write) });
    add("enter", { call: "select", r: byFd(read).map(([fd]) => fd), w: [...write.keys()] });
    if (w.length === 0) t += 250_000_000;
    add("leave", { call: "select", r, w });
  };
  const happen = (op, fd, more) => {
    const table = op === "write" ? write : read;
    const task = table.get(fd);
    table.delete(fd);
    add("happened", { task, op, fd, ...more });
    return task;
  };

  const init = { running: 0, ready: [], read: [], write: [] };
  add("trace", {
    v: 1, stage: "04_scheduler", clock: "ns", src: "src/bin/04_scheduler.rs", sha: "0".repeat(40), init,
  });
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
    add("accept", { fd, peer: `127.0.0.1:${50000 + conn}`, conn });
    happen("accept", 3, { conn });
    add("resume", { task: 1, with: { fd } });
    spawn(task, "client_handler");
    wait(1, "accept", 3, LINES.accept);
    add("resume", { task, with: null });
    wait(task, "read", fd, LINES.read);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (let conn = 1; conn <= clients; conn += 1) {
      const fd = 4 + conn;
      const bytes = { len: text.length, data: text, conn };
      select([fd], []);
      const task = happen("read", fd, bytes);
      add("resume", { task, with: text.length });
      wait(task, "write", fd, LINES.write, text.length);
      select([], [fd]);
      happen("write", fd, bytes);
      add("resume", { task, with: text.length });
      wait(task, "read", fd, LINES.read);
    }
  }
  for (let conn = 1; end && conn <= clients; conn += 1) {
    const fd = 4 + conn;
    select([fd], []);
    const task = happen("read", fd, { len: 0, data: "", conn });
    add("resume", { task, with: 0 });
    add("yield", { task, want: "close", fd, line: LINES.close });
    add("happened", { task, op: "close", fd, conn });
    add("resume", { task, with: null });
    add("close", { fd, peer: `127.0.0.1:${50000 + conn}`, conn });
    add("finish", { task });
    running -= 1;
  }
  return lines;
}

const LINES = { accept: 58, signal: 128, read: 97, write: 101, close: 103 };

// As the file has it, with what could mean something in a page escaped.
export function jsonLines(events) {
  const escape = (c) => `\\u00${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return events.map((it) => `${JSON.stringify(it).replace(/(?<=.)[<&]|\{(?=\{)/g, escape)}\n`).join("");
}
