// <trace-player>: plays a recording, whose steps trace-fold.js explains. It stands in the page, with
// its sources, in scripts that no browser runs: a page from a file may not fetch others.
(() => {
"use strict";

const Fold = globalThis.TraceFold;
const MOST_ROWS = 40;
const NOBODY = [];
const MS_A_STEP = 1600;
const SLEPT = 1e6; // a gap of so many nanoseconds is worth a mark

// An element with its class or its properties, and what is in it.
function h(tag, about, ...inside) {
  const properties = typeof about === "string" ? { className: about } : about;
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside.flat());
  return element;
}

const button = (label, onclick, title = "") =>
  h("button", { type: "button", onclick, title, ariaLabel: title || null }, label);

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

// -- The listing

// The lines near those that a recording names, and the first lines of their functions.
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
    this.used = [];
    this.list = h("ol", { className: "tp-lines hljs", tabIndex: 0, role: "list", ariaLabel: path });
    const lines = text.replace(/^\n/, "").split("\n");
    const chosen = excerpt(lines, named);
    let last = 0;
    lines.forEach((line, at) => {
      const number = at + 1;
      if (!chosen.has(number) || /^\s*\/\//.test(line)) return;
      const name = /\bfn (\w+)/.exec(line)?.[1];
      if (name) this.heads.set(name, number);
      const marks = h("span", "tp-marks");
      const code = h("code", "", line);
      if (window.hljs) code.innerHTML = hljs.highlight("rust", line).value;
      const row = h("li", last === at ? "" : "tp-gap", marks, h("span", "tp-number", number), code);
      last = number;
      this.rows.set(number, { row, marks });
      this.list.append(row);
    });
    this.element = h("figure", "", h("figcaption", "", h("em", "", path)), this.list);
  }

  // Shows who is at which line. That of the active one is lit.
  show(places) {
    for (const { row, marks } of this.used) {
      row.classList.remove("tp-lit");
      marks.replaceChildren();
    }
    this.used = [];
    for (const { line, mark, isActive } of places) {
      if (!this.rows.has(line)) continue;
      const { row, marks } = this.rows.get(line);
      this.used.push({ row, marks });
      if (marks.childElementCount < 8) marks.append(mark);
      if (!isActive) continue;
      row.classList.add("tp-lit");
      const { list } = this;
      const top = row.offsetTop - list.scrollTop;
      if (top < 0 || top + row.offsetHeight > list.clientHeight) {
        list.scrollTop = row.offsetTop - list.clientHeight / 2;
      }
    }
  }
}

// -- One recording

const TABLES = {
  ready: ["Ready queue", "task", "result"],
  read: ["Waiting to read", "descriptor", "event", "task"],
  write: ["Waiting to write", "descriptor", "event", "task"],
  timer: ["Sleeping", "task"],
  kernel: ["In the kernel", "event", "task"],
  clients: ["Clients", "client", "descriptor", "received", "echoed"],
};
const EVENTS = { accept: "Connect", read: "Receive", write: "Send", close: "Close" };
const who = (it, state) => task(it.task, state);
const CELLS = {
  client: (it) => it.client,
  descriptor: (it) => it.fd,
  received: (it) => it.received,
  echoed: (it) => it.echoed,
  task: who,
  "waker of": who,
  event: (it, { tasks }) => `${EVENTS[tasks.get(it.task)?.want] ?? "Sleep"}Event`,
  result: (it) => Fold.result(it.with),
};

class View {
  constructor(recording, sources) {
    this.recording = recording;
    this.states = Fold.fold(recording);
    this.src = recording.header.src;
    this.hasTasks = recording.events.some((it) => it.e === "spawn");
    // Checkpoints are no steps of the server, so they are passed over.
    this.steps = recording.events.flatMap(({ e }, at) => (e === "state" ? [] : [at]));
    this.says = h("p", "tp-says");
    this.status = h("div", "", this.heading(), this.says);
    this.threads = h("div", "tp-threads");
    this.tables = new Map();
    const tables = Object.entries(TABLES).map(([key, about]) => this.table(key, about));
    this.places = h("div", "tp-places", this.threads, tables);
    this.listings = [...recording.lines]
      .filter(([path]) => sources.has(path))
      .map(([path, lines]) => new Listing(path, sources.get(path), lines));
    const listings = h("div", "tp-code", this.listings.map((it) => it.element));
    this.element = h("div", "tp-view", listings, this.places);
  }

  // The name, and whether the checkpoints agree with what is shown.
  heading() {
    const { events, header } = this.recording;
    const at = this.states.findIndex((it) => it.wrong);
    const wrong = () => h("strong", "", `✗ ${this.states[at].wrong} at step ${events[at].step}`);
    const agrees = events.length > this.steps.length ? "✓ verified" : "";
    return h("p", "", h("b", "", header.stage ?? ""), " ", at < 0 ? agrees : wrong());
  }

  // A table, as high as when it is fullest; none if it is always empty.
  table(key, [title, ...columns]) {
    const size = (it) => [...this.entries(key, it).values()].length;
    const most = Math.max(...this.states.map(size));
    if (most === 0 && !(key === "ready" && this.hasTasks)) return [];
    if (!this.hasTasks && key !== "clients") columns.length = 1;
    const isWaker = this.states[0].wakers && key !== "clients";
    if (isWaker) columns.splice(-2, 2, key === "ready" ? "task" : "waker of");
    const head = columns.map((it) => h("th", { scope: "col" }, it));
    const body = h("tbody", "");
    this.tables.set(key, { body, columns });
    const box = h("div", `tp-table tp-${key}`, h("table", "",
      h("caption", "", title), h("thead", "", h("tr", "", head)), body));
    box.style.setProperty("--rows", Math.min(most || 1, MOST_ROWS));
    return box;
  }

  // Without tasks, the sets that the server asks about are its tables.
  entries(key, state) {
    if (this.hasTasks || key === "clients") return state[key];
    const { asked } = state.calls.get(1) ?? {};
    return { read: asked?.r, write: asked?.w }[key] ?? NOBODY;
  }

  show(at, isNear) {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const before = isNear && !isCalm ? this.marks() : null;
    const state = this.states[at];
    this.says.textContent = state.says;
    this.threads.replaceChildren(...this.whereThreadsAre(state));
    for (const [key, table] of this.tables) {
      const entries = this.entries(key, state);
      if (entries === table.entries) continue;
      table.entries = entries;
      const all = [...entries.values()].map((it) => (typeof it === "number" ? { fd: it } : it));
      const rows = all.slice(0, MOST_ROWS).map((it) =>
        h("tr", "", table.columns.map((column) => h("td", "", CELLS[column](it, state)))));
      const rest = all.length - rows.length;
      table.body.replaceChildren(...rows, rest > 0 ? `and ${rest} more` : "");
    }
    const { th = 1 } = this.recording.events[at];
    for (const listing of this.listings) listing.show(this.at(listing, state, th));
    for (const [id, { it, x, y }] of before ? this.marks() : []) {
      const was = before.get(id) ?? { x, y };
      const transform = [`translate(${was.x - x}px, ${was.y - y}px)`, "none"];
      if (was.x !== x || was.y !== y) it.animate({ transform }, { duration: 350, easing: "ease" });
    }
  }

  // Where each task is: one that is moved is seen to move.
  marks() {
    const place = (it) => [it.dataset.id, { it, ...it.getBoundingClientRect().toJSON() }];
    return new Map([...this.places.querySelectorAll(".tp-mark")].map(place));
  }

  whereThreadsAre(state) {
    const line = (name, ...where) => h("p", "", h("em", "", `${name} `), ...where);
    const id = active(state);
    if (id !== null) {
      const waits = state.wakers ? "is pending" : "has yielded its event";
      const does = state.running === null ? waits : "runs";
      const who = [task(id, state), ` ${state.tasks.get(id).name}`];
      if (state.calling) return [line("The thread", `calls ${state.calling} for `, ...who)];
      return [line("The thread:", ...who, ` ${does}`)];
    }
    if (state.calls.size === 0) return [line("The thread", "runs")];
    return [...state.calls].map(([id, { asked: { call, fd }, isAsleep }]) => {
      const on = fd === undefined ? call : `${call} on ${fd}`;
      const is = state.polls && fd !== undefined ? "is" : "sleeps";
      const where = isAsleep ? `${is} in ${on}` : `runs, back from ${on}`;
      return line(state.calls.size > 1 ? `Thread ${id}` : "The thread", where);
    });
  }

  // Who is at which line. A new task is at the first line of its function.
  at({ path, heads }, state, thread) {
    if (!this.hasTasks) {
      return [...state.calls].map(([id, { asked, isAsleep }]) =>
        ({ line: asked.line, isActive: id === thread, mark: mark("thread", id, !isAsleep) }));
    }
    const tasks = [...state.tasks.values()].filter(({ file = this.src }) => file === path);
    return tasks.map(({ id, name, line }) => {
      const isActive = id === active(state);
      return { line: line ?? (isActive && heads.get(name)), isActive, mark: task(id, state) };
    });
  }
}

// -- The player

class TracePlayer extends HTMLElement {
  connectedCallback() {
    if (this.root) return;
    const scripts = [...this.querySelectorAll('script[type="application/x-jsonlines"]')];
    const sources = [...document.querySelectorAll('script[type="text/x-rust"]')];
    this.sources = new Map(sources.map((it) => [it.dataset.file, it.textContent]));
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
      this.book = scripts.map((it) => Fold.read(it.textContent));
      this.build(this.book);
    } catch (error) {
      this.prepend(h("p", { role: "alert" }, `This cannot be played. ${error.message}`));
      return;
    }
    this.append(this.root);
    this.dataset.on = "";
    window.addEventListener("popstate", () => this.follow());
    this.follow();
    // The book's column is narrow; there may be room beside it.
    const page = this.closest(".content") ?? document.body;
    const measure = () => this.style.setProperty("--room", `${page.clientWidth}px`);
    new ResizeObserver(measure).observe(page);
  }

  build(recordings) {
    this.toggle(false);
    this.views = recordings.map((it) => new View(it, this.sources));
    const [a, b] = this.views;
    const states = (view) => view.steps.map((at) => view.states[at]);
    // What the slider goes over: for each of its places, the event of each view.
    this.places = b
      ? Fold.align(states(a), states(b)).map(([i, j]) => [a.steps[i], b.steps[j]])
      : a.steps.map((at) => [at]);
    this.at = -1;
    this.tally = [0, 0];
    const status = this.views.map((it) => it.status);
    this.status = h("div", { className: "tp-status", role: "status" }, status);
    this.ask = h("div", "tp-ask");
    this.note = h("p", { className: "tp-note", role: "status" });
    this.root.classList.toggle("tp-two", b !== undefined);
    this.root.replaceChildren(this.tools(), this.status, this.ask, this.controls(), this.note,
      h("div", "tp-views", this.views.map((it) => it.element)));
    this.tell(...recordings.flatMap((it) => it.notes));
    this.go(0);
  }

  tools() {
    this.predict = h("input", { type: "checkbox", onchange: () => this.question() });
    this.score = h("span", "");
    const file = h("input", { type: "file", className: "tp-unseen" });
    file.onchange = () => this.open(file.files[0]);
    return h("div", "tp-tools",
      this.views[1] ? [] : h("label", "", this.predict, " Predict ", this.score),
      h("label", "tp-button", file, "Open a recording …"),
      button("Full screen", () => this.root.requestFullscreen()));
  }

  controls() {
    const max = this.places.length - 1;
    this.play = button("Play", () => this.toggle(!this.timer));
    this.slider = h("input", { type: "range", min: 0, max, value: 0, ariaLabel: "Step" });
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.speed = h("select", { ariaLabel: "Speed", onchange: () => this.toggle(this.timer) },
      [0.5, 1, 2, 4].map((value) => h("option", { value }, `${value}×`)));
    this.speed.value = 1;
    this.link = h("a", "");
    this.time = h("span", "");
    // The slider has marks where the server slept.
    const id = `${this.id}-slept`;
    const slept = [...this.places.keys()].filter((at) => this.gap(at) >= SLEPT);
    const marks = h("datalist", { id }, slept.map((value) => h("option", { value })));
    this.slider.setAttribute("list", id);
    return h("div", "tp-controls",
      h("div", "tp-buttons",
        button("«", () => this.go(0), "First step"),
        button("‹", () => this.go(this.at - 1), "Step back"),
        this.play,
        button("›", () => this.go(this.at + 1), "Step forward"),
        button("»", () => this.go(max), "Last step"),
        this.speed),
      this.slider, marks,
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

  // -- Stepping

  go(to, verdict = "") {
    const last = this.places.length - 1;
    const at = Math.min(Math.max(to, 0), last);
    if (at === this.at) return;
    const isNear = Math.abs(at - this.at) === 1;
    this.at = at;
    this.status.ariaLive = this.timer ? "off" : "polite";
    this.views.forEach((view, i) => view.show(this.places[at][i], isNear));
    if (verdict) this.views[0].says.prepend(h("strong", "", verdict), " ");
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
    }, MS_A_STEP / this.speed.value);
  }

  // -- Predicting

  question() {
    const [{ recording, states }] = this.views;
    const next = this.places[this.at + 1]?.[0];
    const isOn = this.predict.checked;
    this.root.classList.toggle("tp-asks", isOn);
    this.ask.replaceChildren();
    this.asked = isOn && next && Fold.question(recording.events[next], states[next - 1]);
    if (!this.asked) return;
    const { text, choices } = this.asked;
    this.ask.append(h("fieldset", "", h("legend", "", text),
      choices.map((choice) => button(choice.label, () => this.answer(choice)))));
  }

  answer({ isRight }) {
    const right = this.asked.choices.filter((it) => it.isRight).map((it) => it.label);
    this.tally = [this.tally[0] + isRight, this.tally[1] + 1];
    this.score.textContent = `${this.tally.join(" of ")} right`;
    this.root.focus({ preventScroll: true });
    this.go(this.at + 1, isRight ? "Right." : `No: ${right.join(" and ")}.`);
  }

  // -- Recordings of one's own

  async open(file) {
    if (!file) return;
    const [book] = this.book;
    try {
      const mine = Fold.read(await file.text());
      const compared = this.compared(mine, book);
      const show = (label, ...recordings) => button(label, () => this.build(recordings));
      this.build([mine]);
      this.tell(h("b", "", file.name), ...mine.notes, ...compared,
        show("Side by side", mine, book), show("Back to the book’s recording", ...this.book));
    } catch (error) {
      this.tell(h("b", "", file.name), "cannot be played.", error.message);
    }
  }

  compared(mine, book) {
    const [{ stage, sha }, other] = [mine.header, book.header];
    if (stage !== other.stage) return [`is of ${stage}, the book’s is of ${other.stage}.`];
    const moved = sha === other.sha ? "" : "has another source, so lit lines may be wrong. It";
    const parted = Fold.difference(mine, book);
    if (!parted) return [moved, "takes the same steps as the book’s recording."];
    const [a, b] = [mine, book].map((it, i) => Fold.fold(it)[parted[i]]?.says ?? "it is over.");
    const { step } = mine.events[parted[0] ?? mine.events.length - 1];
    return [moved, "differs from the book’s recording at",
      h("a", { href: `#${this.id}@${step}` }, `step ${step}.`), `Yours: ${a} The book’s: ${b}`];
  }

  tell(...words) {
    this.note.hidden = words.length === 0;
    this.note.replaceChildren(...words.flatMap((it) => [it, " "]));
  }

  // -- Keys and links

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
    const hasOwnUse = key === " " ? "button, a, select, input:not([type=range])" : "select";
    if (target.matches(hasOwnUse)) return;
    event.preventDefault();
    if (key !== " ") this.toggle(false);
    keys[key]();
  }

  // A link to a step: #id@12.
  follow() {
    const [, id, number] = /^#(.+)@(\d+)$/.exec(location.hash.replace("%40", "@")) ?? [];
    if (id !== this.id) return;
    this.go(this.places.findLastIndex((_, at) => this.number(at) <= number));
    this.scrollIntoView();
  }
}

customElements.define("trace-player", TracePlayer);
})();
