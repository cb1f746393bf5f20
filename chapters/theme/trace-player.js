// <trace-player>: plays a recording. It stands in the page, with its sources, in scripts that no
// browser runs; its sentences are those of the listing for readers without JavaScript.
(() => {
"use strict";

const Fold = globalThis.TraceFold;
const MOST_ROWS = 40;
const MS_A_STEP = 1600;
const SLEPT = 1e6; // a gap of so many nanoseconds is worth a mark

// A task or a thread: its number, and a colour of its own.
function mark(kind, id, isActive, title = "") {
  const className = isActive ? "tp-mark tp-active" : "tp-mark";
  const it = h("span", { className, title }, h("span", "tp-unseen", `${kind} `), id);
  it.style.setProperty("--hue", (id * 137 + 40) % 360);
  it.dataset.id = id;
  return it;
}

const active = (state) => state.running ?? state.held;
const task = (id, state) => mark("task", id, id === active(state), state.tasks.get(id)?.name);

// The sentences of a listing, by step: its column "what".
function sentences(listing) {
  const rows = listing.split("\n");
  const column = rows.find((it) => /^ *step /.test(it))?.indexOf("what");
  return new Map(rows.filter((it) => /^ *\d+ /.test(it))
    .map((it) => [parseInt(it, 10), it.slice(column)]));
}

// The lines near those that a recording names, and of their functions the first.
function excerpt(lines, named) {
  const isHead = (it) => /^\s*(pub )?(async )?fn /.test(it);
  const head = (line) => lines.slice(0, line).findLastIndex(isHead) + 1;
  return new Set([...named].flatMap((it) => [head(it), it - 2, it - 1, it, it + 1, it + 2]));
}

class Listing {
  constructor(path, text, named) {
    this.path = path;
    this.rows = new Map();
    this.heads = new Map();
    this.list = h("ol", { className: "tp-lines hljs", tabIndex: 0, role: "list", ariaLabel: path });
    const lines = text.split("\n");
    const chosen = excerpt(lines, named);
    lines.forEach((line, at) => {
      const number = at + 1;
      if (!chosen.has(number) || /^\s*\/\//.test(line)) return;
      const name = /\bfn (\w+)/.exec(line)?.[1];
      if (name) this.heads.set(name, number);
      const code = coloured("code", "", "rust", line.trim());
      code.style.setProperty("--indent", line.search(/\S|$/));
      const row = h("li", this.rows.has(at) ? "" : "tp-gap",
        h("span", "tp-marks"), h("span", "tp-number", number), code);
      this.rows.set(number, row);
      this.list.append(row);
    });
    this.element = h("figure", "", h("figcaption", "", h("em", "", path)), this.list);
  }

  // Shows who is at which line, and lights that of the one that is there now.
  show(places) {
    const { list } = this;
    list.querySelectorAll(".tp-mark").forEach((it) => it.remove());
    list.querySelector(".tp-lit")?.classList.remove("tp-lit");
    for (const { line, mark, isLit } of places) {
      const row = this.rows.get(line);
      if (row?.firstChild.childElementCount < 8) row.firstChild.append(mark);
      if (!row || !isLit) continue;
      row.classList.add("tp-lit");
      const top = row.offsetTop - list.scrollTop;
      if (top < 0 || top + row.offsetHeight > list.clientHeight) {
        list.scrollTop = row.offsetTop - list.clientHeight / 2;
      }
    }
  }
}

const TABLES = {
  now: ["Now", "task", "does"],
  threads: ["Threads", "thread", "call"],
  ready: ["Ready queue", "task", "result"],
  buffers: ["Kernel buffers", "descriptor", "holds"],
  read: ["Waiting to read", "descriptor", "event", "task"],
  write: ["Waiting to write", "descriptor", "event", "task"],
  timer: ["Sleeping", "task"],
  kernel: ["In the kernel", "event", "task"],
  clients: ["Clients", "client", "descriptor", "received", "echoed"],
};
const EVENTS = { accept: "Connect", read: "Receive", write: "Send", close: "Close" };

function event(id, { tasks }) {
  const { want, len, data } = tasks.get(id) ?? {};
  const holds = want === "write" ? `, ${Fold.moved({ len, data })}` : "";
  return `${EVENTS[want] ?? "Sleep"}Event${holds}`;
}

const CELLS = {
  task: (it, state) => task(it.task, state),
  "waker of": (it, state) => task(it.task, state),
  descriptor: (it) => it.fd,
  event: (it, state) => event(it.task, state),
  result: (it) => Fold.result(it.with),
  does: ({ task }, state, wakers) => {
    const { calling, running, mail } = state;
    if (calling) return `${calling} is called for it`;
    if (running === null) return wakers ? "is pending" : `yields its ${event(task, state)}`;
    return mail && !wakers ? `runs, with this in its mailbox: ${Fold.result(mail)}` : "runs";
  },
  thread: (it) => mark("thread", it.thread, !it.isAsleep),
  call: ({ asked: { call, fd }, isAsleep }) =>
    `${isAsleep ? "in" : "back from"} ${call}${fd === undefined ? "" : ` on ${fd}`}`,
};

class View {
  constructor(recording, sources, says) {
    this.recording = recording;
    this.states = Fold.fold(recording);
    this.sentences = says;
    this.wakers = Fold.wakes(recording.events);
    this.hasTasks = recording.events.some((it) => it.e === "spawn");
    // Checkpoints are no steps.
    this.steps = recording.events.flatMap(({ e }, at) => (e === "state" ? [] : [at]));
    this.says = h("p", "tp-says");
    this.status = h("div", "", this.heading(), this.says);
    this.phases = Object.entries(Fold.phases(recording)).map(([key, it]) => [key, h("li", "", it)]);
    const strip = h("ol", { className: "tp-strip", role: "list", ariaLabel: "The scheduler’s round" },
      this.phases.map((it) => it[1]));
    this.tables = new Map();
    const tables = Object.entries(TABLES).map(([key, about]) => this.table(key, about));
    this.places = h("div", "tp-places", h("b", "tp-of", recording.header.stage), this.hasTasks ? strip : [], tables);
    this.listings = [...recording.lines]
      .filter(([path]) => sources.has(path))
      .map(([path, lines]) => new Listing(path, sources.get(path), lines));
    const listings = h("div", "tp-code", this.listings.map((it) => it.element));
    this.element = h("div", "tp-view", listings, this.places);
  }

  // The name, and whether the checkpoints agree.
  heading() {
    const { events, header } = this.recording;
    const at = this.states.findIndex((it) => it.wrong);
    const agrees = events.length > this.steps.length ? " ✓ verified" : "";
    return h("p", "", h("b", "", header.stage ?? ""), at < 0 ? agrees
      : h("strong", "", ` ✗ ${this.states[at].wrong} at step ${events[at].step}`));
  }

  sentence(at) {
    const event = this.recording.events[at];
    if (at === 0) return "The recording begins.";
    return this.sentences?.get(event.step) ?? Fold.words(event);
  }

  // A table, as high as when it is fullest; none if it always is empty.
  table(key, [title, ...columns]) {
    const most = Math.max(...this.states.map((it) => this.entries(key, it).length));
    if (most === 0 && !(key === "ready" && this.hasTasks)) return [];
    if (!this.hasTasks && columns[1] === "event") columns.length = 1;
    if (this.wakers && key !== "now" && columns.includes("task")) columns.splice(-2, 2, key === "ready" ? "task" : "waker of");
    const head = columns.map((it) => h("th", { scope: "col" }, it));
    const body = h("tbody");
    this.tables.set(key, { body, columns });
    const box = h("div", `tp-table tp-${key}`, h("table", "",
      h("caption", "", title), h("thead", "", h("tr", "", head)), body));
    box.style.setProperty("--rows", Math.min(most || 1, MOST_ROWS));
    return box;
  }

  // Without tasks, the sets that the server asks about are its tables.
  entries(key, state) {
    if (key === "clients") return [...state.clients.values()];
    const id = active(state);
    if (this.hasTasks) return key === "now" ? (id ? [{ task: id }] : []) : state[key] ?? [];
    if (key === "threads") return [...state.calls].map(([thread, it]) => ({ thread, ...it }));
    const { asked } = state.calls.get(1) ?? {};
    return ({ read: asked?.r, write: asked?.w }[key] ?? []).map((fd) => ({ fd }));
  }

  rows(key, columns, state) {
    const rows = this.entries(key, state).slice(0, MOST_ROWS).map((it) => [
      it.client ?? it.thread ?? it.task ?? it.fd,
      h("tr", "", columns.map((name) => h("td", "", CELLS[name]?.(it, state, this.wakers) ?? it[name]))),
    ]);
    return new Map(rows);
  }

  // What the step has changed is marked: the rows that are new, and those that have gone.
  show(at, isNear) {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const before = isNear && !isCalm ? this.marks() : null;
    const state = this.states[at];
    const last = this.states[Math.max(at - 1, 0)];
    this.says.textContent = this.sentence(at);
    for (const [key, li] of this.phases) li.ariaCurrent = key === state.phase ? "step" : null;
    for (const [key, { body, columns }] of this.tables) {
      const rows = this.rows(key, columns, state);
      const gone = this.rows(key, columns, last);
      for (const [id, row] of rows) {
        if (gone.get(id)?.textContent !== row.textContent) row.className = "tp-new";
        gone.delete(id);
      }
      for (const row of gone.values()) Object.assign(row, { className: "tp-gone", ariaHidden: true });
      const rest = this.entries(key, state).length - rows.size;
      body.replaceChildren(...rows.values(), ...gone.values(), rest > 0 ? `and ${rest} more` : "");
    }
    for (const listing of this.listings) listing.show(this.at(listing, state));
    for (const [id, { it, x, y }] of before ? this.marks() : []) {
      const was = before.get(id) ?? { x, y };
      const transform = [`translate(${was.x - x}px, ${was.y - y}px)`, "none"];
      if (was.x !== x || was.y !== y) it.animate({ transform }, { duration: 350, easing: "ease" });
    }
  }

  // Where each task is: one that is moved is seen to move.
  marks() {
    const place = (it) => [it.dataset.id, { it, ...it.getBoundingClientRect().toJSON() }];
    return new Map([...this.places.querySelectorAll(".tp-mark:not(.tp-gone *)")].map(place));
  }

  // Who is at which line. A new task is at the first line of its function.
  at({ path, heads }, state) {
    if (!this.hasTasks) {
      return [...state.calls].map(([id, { asked, isAsleep }]) =>
        ({ line: asked.line, isLit: id === state.lit, mark: mark("thread", id, !isAsleep) }));
    }
    const { src } = this.recording.header;
    const tasks = [...state.tasks.values()].filter(({ file = src }) => file === path);
    return tasks.map(({ task: id, name, line = heads.get(name) }) =>
      ({ line, isLit: id === state.lit, mark: task(id, state) }));
  }
}

class TracePlayer extends HTMLElement {
  connectedCallback() {
    if (this.root) return;
    const texts = (tag, root = this) => [...root.querySelectorAll(tag)].map((it) => it.textContent);
    const sources = [...document.querySelectorAll('script[type="text/x-rust"]')];
    this.sources = new Map(sources.map((it) => [it.dataset.file, it.textContent.replace(/^\n/, "")]));
    this.root = h("section", {
      className: "tp",
      tabIndex: -1,
      ariaLabel: this.getAttribute("label"),
      onkeydown: (event) => this.key(event),
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => {
        event.preventDefault();
        this.open(event.dataTransfer.files[0]);
      },
    });
    try {
      this.book = texts('script[type="application/x-jsonlines"]').map(Fold.read);
      this.says = new Map(texts("pre").map((it, at) => [this.book[at], sentences(it)]));
      this.build(this.book);
    } catch (error) {
      this.prepend(h("p", { role: "alert" }, `This cannot be played. ${error.message}`));
      return;
    }
    this.append(this.root);
    this.dataset.on = "";
    window.addEventListener("popstate", () => this.follow());
    this.follow();
  }

  build(recordings) {
    this.toggle(false);
    this.views = recordings.map((it) => new View(it, this.sources, this.says.get(it)));
    const [a, b] = this.views;
    const states = (view) => view.steps.map((at) => view.states[at]);
    // For each place of the slider, the event of each view.
    this.places = b
      ? Fold.align(states(a), states(b)).map(([i, j]) => [a.steps[i], b.steps[j]])
      : a.steps.map((at) => [at]);
    this.arrivals = Fold.arrivals(a.recording);
    this.at = -1;
    this.tally = [0, 0];
    const status = this.views.map((it) => it.status);
    this.verdict = h("p", "tp-verdict");
    this.status = h("div", { className: "tp-status", role: "status" }, this.verdict, status);
    this.ask = h("div", "tp-ask");
    this.note = h("p", { className: "tp-note", role: "status" });
    this.root.classList.toggle("tp-two", b !== undefined);
    this.root.replaceChildren(
      h("div", "tp-head", this.tools(), this.status, this.ask, this.controls()), this.note,
      h("div", "tp-views", this.views.map((it) => it.element)));
    this.tell(...recordings.flatMap((it) => it.notes));
    this.go(0);
  }

  tools() {
    this.predict = h("input", { type: "checkbox", onchange: () => this.question() });
    this.score = h("span");
    const file = h("input", { type: "file", className: "tp-unseen" });
    file.onchange = () => this.open(file.files[0]);
    return h("div", "tp-tools",
      this.views[1] ? [] : h("label", "", this.predict, " Predict ", this.score),
      h("label", "tp-button", file, "Open a recording …"),
      button("Full screen", () => this.root.requestFullscreen()));
  }

  controls() {
    this.play = button("Play", () => this.toggle(!this.timer));
    const max = this.places.length - 1;
    this.slider = h("input", { type: "range", max, value: 0, ariaLabel: "Step" });
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.link = h("a");
    this.time = h("span");
    return h("div", "tp-controls",
      h("div", "tp-buttons",
        button("‹", () => this.go(this.at - 1), "Step back"),
        this.play,
        button("›", () => this.go(this.at + 1), "Step forward"),
        this.arrivals.length ? button("Where a line arrives", () => this.arrive()) : []),
      this.slider,
      h("div", "tp-where", this.link, this.time));
  }

  event(at) {
    return this.views[0].recording.events[this.places[at][0]];
  }

  // The time between this step and the one before.
  gap(at) {
    return at === 0 || this.views[1] ? 0 : this.event(at).t - this.event(at - 1).t;
  }

  // A step has the number of its line; those of two recordings are counted.
  number(at) {
    return this.views[1] ? at + 1 : this.event(at).step;
  }

  go(to) {
    const last = this.places.length - 1;
    const at = Math.min(Math.max(to, 0), last);
    if (at === this.at) return;
    const isNear = Math.abs(at - this.at) === 1;
    this.at = at;
    this.status.ariaLive = this.timer ? "off" : "polite";
    this.views.forEach((view, i) => view.show(this.places[at][i], isNear));
    this.verdict.replaceChildren();
    const number = this.number(at);
    const said = this.views.map((it) => it.says.textContent).join(" ");
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `Step ${number}: ${said}`);
    this.link.href = `#${this.id}@${number}`;
    this.link.textContent = `Step ${number} of ${this.number(last)}`;
    const gap = this.gap(at);
    this.time.textContent = this.views[1] ? "" : `, ${Fold.span(gap)} later`;
    this.time.className = gap < SLEPT ? "" : "tp-long";
    this.question();
  }

  // To the next step at which bytes of a client are there; after the last, to the first.
  arrive() {
    const found = this.arrivals.map((at) => this.places.findIndex((it) => it[0] === at));
    this.go(found.find((it) => it > this.at) ?? found[0]);
  }

  toggle(isOn) {
    clearInterval(this.timer);
    this.timer = null;
    if (!this.play) return;
    this.play.textContent = isOn ? "Pause" : "Play";
    if (!isOn) return;
    const isAtEnd = () => this.at === this.places.length - 1;
    if (isAtEnd()) this.go(0);
    this.timer = setInterval(() => {
      if (isAtEnd() || this.asked || !this.isConnected) this.toggle(false);
      else this.go(this.at + 1);
    }, MS_A_STEP);
  }

  question() {
    const [{ recording, states }] = this.views;
    const isOn = this.predict.checked;
    const code = (file = recording.header.src, line) =>
      this.sources.get(file)?.split("\n")[line - 1]?.trim() ?? "";
    this.root.classList.toggle("tp-asks", isOn);
    this.asked = isOn && Fold.question(recording, states, this.places[this.at][0], code);
    this.ask.replaceChildren(...(this.asked ? [h("fieldset", "", h("legend", "", this.asked.text),
      this.asked.choices.map((it) => button(it.label, () => this.answer(it))))] : []));
  }

  answer({ label, isRight, why }) {
    const right = this.asked.choices.find((it) => it.isRight).label;
    this.tally = [this.tally[0] + isRight, this.tally[1] + 1];
    this.score.textContent = `${this.tally.join(" of ")} right`;
    this.root.focus({ preventScroll: true });
    this.go(this.at + 1);
    this.verdict.append(h("strong", "", isRight ? "Right: " : "No: "),
      isRight ? `${right}.` : `not “${label}”. ${why} The answer is “${right}”.`);
  }

  async open(file) {
    if (!file) return;
    try {
      const mine = Fold.read(await file.text());
      const isSame = mine.header.sha === this.book[0].header.sha;
      const show = (label, ...recordings) => button(label, () => this.build(recordings));
      this.build([mine]);
      this.tell(h("b", "", file.name), ...mine.notes, isSame ? "" : "has another source, so lit lines may be wrong.",
        show("Side by side", mine, this.book[0]), show("Back to the book’s recording", ...this.book));
    } catch (error) {
      this.tell(h("b", "", file.name), "cannot be played.", error.message);
    }
  }

  tell(...words) {
    this.note.hidden = words.length === 0;
    this.note.replaceChildren(...words.flatMap((it) => [it, " "]));
  }

  key(event) {
    const { key, target } = event;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const keys = {
      ArrowLeft: () => this.go(this.at - 1),
      ArrowRight: () => this.go(this.at + 1),
      Home: () => this.go(0),
      End: () => this.go(this.places.length - 1),
      " ": () => this.toggle(!this.timer),
    };
    if (!keys[key]) return;
    event.stopPropagation(); // the book would turn its page
    if (key === " " && target.matches("button, a, input:not([type=range])")) return;
    event.preventDefault();
    if (key !== " ") this.toggle(false);
    keys[key]();
  }

  // A link to a step: #id@12.
  follow() {
    const [, id, number] = /^#(.+)(?:@|%40)(\d+)$/.exec(location.hash) ?? [];
    if (id !== this.id) return;
    this.go(this.places.findLastIndex((_, at) => this.number(at) <= number));
    this.scrollIntoView();
  }
}

customElements.define("trace-player", TracePlayer);
})();
