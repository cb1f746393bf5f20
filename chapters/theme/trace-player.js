// <trace-player>: plays a recording of a server step by step. What the steps mean is in
// trace-fold.js; this shows it. Recordings and sources stand in the page, in scripts of types
// that no browser runs, because a page that is opened from a file may not fetch other files.
(() => {
"use strict";

const Fold = globalThis.TraceFold;
const MOST_ROWS = 40;
const MS_A_STEP = 1600;
const SLEPT = 1e6; // a gap of so many nanoseconds is worth a mark

// An element with its properties and what is in it.
function h(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside.flat().filter((it) => it !== null));
  return element;
}

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z", back: "M11 3v10L4 8z",
  play: "M4 2l10 6-10 6z", pause: "M4 3h3v10H4zM9 3h3v10H9z",
  forward: "M5 3l7 5-7 5z", last: "M3 3l7 5-7 5zM11 3h2v10h-2z",
  full: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
};

function iconButton(icon, label, onclick) {
  return setIcon(h("button", { type: "button", className: "tp-icon", onclick }), icon, label);
}

function setIcon(button, icon, label) {
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
  button.ariaLabel = button.title = label;
  return button;
}

// A task or a thread, wherever it is shown: always its number, and a colour of its own.
function mark(kind, id, isActive, title = "") {
  const className = isActive ? "tp-mark tp-active" : "tp-mark";
  const it = h("span", { className, title }, h("span", { className: "tp-unseen" }, `${kind} `), `${id}`);
  it.style.setProperty("--hue", (id * 137 + 40) % 360);
  it.dataset.id = id;
  return it;
}

const row = (...cells) => h("tr", {}, cells.map((it) => h("td", {}, it)));

// The listing --------------------------------------------------------------------------------

// The lines near those that a recording names, and the first lines of their functions.
function excerpt(lines, named) {
  const chosen = new Set();
  for (const line of named) {
    [line - 1, line, line + 1].forEach((it) => chosen.add(it));
    const isHead = (it) => /^\s*(pub )?(async )?fn /.test(it);
    chosen.add(lines.slice(0, line).findLastIndex(isHead) + 1);
  }
  const sorted = [...chosen].sort((a, b) => a - b);
  sorted.forEach((line, at) => {
    const gap = sorted[at + 1] - line; // two lines left out are not worth a sign
    for (let near = 1; near < gap && gap <= 3; near += 1) chosen.add(line + near);
  });
  return chosen;
}

class Listing {
  constructor(path, text, named) {
    this.path = path;
    this.rows = new Map();
    this.heads = new Map();
    this.used = [];
    this.list = h("ol", { className: "tp-lines", tabIndex: 0, role: "list", ariaLabel: path });
    const lines = text.replace(/^\n/, "").trimEnd().split("\n");
    const chosen = excerpt(lines, named);
    lines.forEach((line, at) => {
      const number = at + 1;
      const name = /\bfn (\w+)/.exec(line)?.[1];
      if (name) this.heads.set(name, number);
      if (/^\s*\/\/ ANCHOR/.test(line)) return;
      const marks = h("span", { className: "tp-marks" });
      const code = h("code", {}, line);
      if (window.hljs) code.innerHTML = hljs.highlight("rust", line).value;
      const row = h("li", {}, marks, h("span", { className: "tp-number" }, `${number}`), code);
      if (!chosen.has(number)) row.className = "tp-far";
      else if (!chosen.has(at)) row.className = "tp-after-gap";
      this.rows.set(number, { row, marks });
      this.list.append(row);
    });
    const onchange = () => this.list.classList.toggle("tp-whole");
    this.element = h("figure", {}, h("figcaption", {}, h("em", {}, path),
      h("label", {}, h("input", { type: "checkbox", onchange }), " whole file")), this.list);
  }

  // Shows who is at which line. The line of the one that is active is lit.
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

// One recording ------------------------------------------------------------------------------

const TABLES = {
  ready: ["Ready queue", "task", "result"],
  read: ["Waiting to read", "descriptor", "event", "task"],
  write: ["Waiting to write", "descriptor", "event", "task"],
  timer: ["Sleeping", "task"],
  kernel: ["In the kernel", "event", "task"],
  again: ["In the next round", "task"],
  clients: ["Clients", "client", "descriptor", "received", "echoed"],
};
const EVENTS = { accept: "Connect", read: "Receive", write: "Send", close: "Close", sleep: "Sleep" };

class View {
  constructor(recording, sources) {
    this.recording = recording;
    this.states = Fold.fold(recording);
    this.src = recording.header.src;
    this.hasTasks = recording.events.some((it) => it.e === "spawn");
    // Checkpoints are no steps of the server, so they are passed over.
    this.steps = recording.events.flatMap(({ e }, at) => (e === "state" ? [] : [at]));
    this.says = h("p", { className: "tp-says" });
    this.status = h("div", {}, this.heading(), this.says);
    this.threads = h("div", { className: "tp-threads" });
    this.bodies = new Map();
    const tables = Object.entries(TABLES).map(([key, about]) => this.table(key, about));
    this.places = h("div", { className: "tp-places" }, this.threads, tables);
    this.listings = [...recording.lines]
      .filter(([path]) => sources.has(path))
      .map(([path, lines]) => new Listing(path, sources.get(path), lines));
    const listings = h("div", { className: "tp-code" }, this.listings.map((it) => it.element));
    this.element = h("div", { className: "tp-view" }, listings, this.places);
  }

  // The name of the recording, and whether its checkpoints agree with what is shown.
  heading() {
    const { events, header } = this.recording;
    const checks = events.length - this.steps.length;
    const bad = this.states.findIndex((it) => it.wrong);
    const wrong = bad < 0 ? "" : `step ${events[bad].step}: ${this.states[bad].wrong}`;
    const title = `All ${checks} checkpoints of the recording agree with what is shown.`;
    const check = wrong ? h("strong", {}, `✗ not as at the checkpoint, ${wrong}`) : "✓ verified";
    return h("p", { title }, h("b", {}, header.stage ?? ""), " ", checks > 0 ? check : "");
  }

  // A table that is always as high as when it is fullest; none if it is always empty.
  table(key, [title, ...columns]) {
    const most = Math.max(0, ...this.states.map((it) => this.entries(key, it).length));
    if (most === 0 && !(key === "ready" && this.hasTasks)) return null;
    const shown = this.hasTasks || key === "clients" ? columns : columns.slice(0, 1);
    const head = shown.map((it) => h("th", { scope: "col" }, it));
    this.bodies.set(key, h("tbody"));
    const box = h("div", { className: `tp-table tp-${key}` }, h("table", {},
      h("caption", {}, title), h("thead", {}, h("tr", {}, head)), this.bodies.get(key)));
    box.style.setProperty("--rows", Math.min(most || 1, MOST_ROWS));
    return box;
  }

  // Without tasks, the sets that the server asks about are its tables.
  entries(key, state) {
    if (key === "clients") return [...state.clients];
    const { asked } = state.calls.get(1) ?? {};
    const sets = { read: asked?.r, write: asked?.w };
    return this.hasTasks ? state[key] : (sets[key] ?? []).map((fd) => ({ fd }));
  }

  row(key, it, state) {
    if (key === "clients") {
      const [number, { fd, received, echoed, isOpen }] = it;
      return row(`${number}`, isOpen ? `${fd}` : "closed", `${received}`, `${echoed}`);
    }
    if (!this.hasTasks) return row(`${it.fd}`);
    const task = this.task(it.task, state);
    if (key === "ready") return row(task, Fold.result(it.with));
    const event = `${EVENTS[state.tasks.get(it.task)?.want] ?? ""}Event`;
    if (key === "kernel") return row(event, task);
    return TABLES[key].length === 2 ? row(task) : row(`${it.fd}`, event, task);
  }

  task(id, state) {
    return mark("task", id, id === (state.running ?? state.held), state.tasks.get(id)?.name);
  }

  sentence(at) {
    return Fold.sentence(this.recording.events[at], this.states[Math.max(0, at - 1)]);
  }

  show(at) {
    const state = this.states[at];
    this.says.textContent = this.sentence(at);
    this.threads.replaceChildren(...this.whereThreadsAre(state));
    for (const [key, body] of this.bodies) {
      const all = this.entries(key, state);
      const rows = all.slice(0, MOST_ROWS).map((it) => this.row(key, it, state));
      if (all.length > MOST_ROWS) rows.push(row(`and ${all.length - MOST_ROWS} more`));
      body.replaceChildren(...rows);
    }
    const { th = 1 } = this.recording.events[at];
    for (const listing of this.listings) {
      listing.show(this.hasTasks ? this.tasksAt(listing, state) : this.threadsAt(state, th));
    }
  }

  whereThreadsAre(state) {
    const line = (name, ...where) => h("p", {}, h("em", {}, `${name} `), ...where);
    const active = state.running ?? state.held;
    if (active !== null) {
      const does = state.running === null ? "has yielded its event" : "runs";
      const name = state.tasks.get(active)?.name;
      return [line("The thread:", this.task(active, state), ` ${name} ${does}`)];
    }
    if (state.calls.size === 0) return [line("The thread", "runs")];
    return [...state.calls].map(([thread, { asked, isAsleep }]) => {
      const { call, fd, r, w = [] } = asked;
      const on = `${call}${fd === undefined ? "" : ` on ${fd}`}`;
      const sets = r ? `: ${r.join(", ") || "none"} to read, ${w.join(", ") || "none"} to write` : "";
      const isQuick = state.polls && fd !== undefined;
      const where = isAsleep ? `${isQuick ? "is" : "sleeps"} in ${on}${sets}` : `runs, back from ${on}`;
      return line(state.calls.size > 1 ? `Thread ${thread}` : "The thread", where);
    });
  }

  tasksAt({ path, heads }, state) {
    return [...state.tasks.values()]
      .filter(({ file = this.src }) => file === path)
      .map(({ id, name, line }) => {
        const isActive = id === (state.running ?? state.held);
        return { line: line ?? (isActive && heads.get(name)), isActive, mark: this.task(id, state) };
      });
  }

  threadsAt(state, thread) {
    return [...state.calls].map(([id, { asked, isAsleep }]) =>
      ({ line: asked.line, isActive: id === thread, mark: mark("thread", id, !isAsleep) }));
  }
}

// The player ---------------------------------------------------------------------------------

class TracePlayer extends HTMLElement {
  connectedCallback() {
    if (this.root) return;
    const scripts = [...this.querySelectorAll('script[type="application/x-jsonlines"]')];
    const sources = [...document.querySelectorAll('script[type="text/x-rust"]')];
    this.sources = new Map(sources.map((it) => [it.dataset.file, it.textContent]));
    const ariaLabel = this.getAttribute("label") ?? "A recording, step by step";
    this.root = h("section", { className: "tp", tabIndex: -1, ariaLabel });
    try {
      this.book = scripts.map((it) => Fold.read(it.textContent));
      this.build(this.book);
    } catch (error) {
      this.prepend(h("p", { role: "alert" }, `This recording cannot be played. ${error.message}`));
      return;
    }
    this.append(this.root);
    this.dataset.on = "";
    this.listen();
    this.follow();
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
    this.status = h("div", { className: "tp-status", role: "status" }, this.views.map((it) => it.status));
    this.ask = h("div", { className: "tp-ask" });
    this.note = h("p", { className: "tp-note", role: "status", hidden: true });
    const views = h("div", { className: "tp-views" }, this.views.map((it) => it.element));
    this.root.classList.toggle("tp-two", b !== undefined);
    this.root.replaceChildren(
      this.tools(), this.status, this.ask, this.controls(), this.note, views);
    const notes = recordings.flatMap((it) => it.notes);
    if (notes.length > 0) this.tell(...notes);
    this.go(0);
  }

  tools() {
    this.predict = h("input", { type: "checkbox", onchange: () => this.question() });
    this.score = h("span");
    const file = h("input", { type: "file", className: "tp-unseen" });
    file.onchange = () => this.open(file.files[0]);
    const fill = iconButton("full", "Fill the screen", () => this.root.requestFullscreen());
    return h("div", { className: "tp-tools" },
      this.views[1] ? null : h("label", {}, this.predict, " Predict ", this.score),
      h("label", { className: "tp-button" }, file, "Open a recording …"),
      document.fullscreenEnabled ? fill : null);
  }

  controls() {
    const max = this.places.length - 1;
    this.play = iconButton("play", "Play", () => this.toggle(!this.timer));
    this.slider = h("input", { type: "range", min: 0, max, value: 0, ariaLabel: "Step" });
    this.slider.oninput = () => this.go(Number(this.slider.value));
    this.speed = h("select", { ariaLabel: "Speed", onchange: () => this.toggle(this.timer) },
      [0.5, 1, 2, 4].map((value) => h("option", { value }, `${value}×`)));
    this.speed.value = 1;
    this.link = h("a", { title: "A link to this step" });
    this.time = h("span");
    // The times in which the server slept, as marks below the slider.
    const slept = this.places.map((_, at) => (this.gap(at) < SLEPT ? "" : `M${at} 0V1`)).join("");
    const marks = h("div", { className: "tp-slept", title: "Marks: before these, the server slept" });
    marks.innerHTML = `<svg viewBox="0 0 ${max || 1} 1" preserveAspectRatio="none" aria-hidden="true">
      <path d="${slept}" vector-effect="non-scaling-stroke"/></svg>`;
    return h("div", { className: "tp-controls" },
      h("div", { className: "tp-buttons" },
        iconButton("first", "To the first step", () => this.go(0)),
        iconButton("back", "Step back", () => this.go(this.at - 1)),
        this.play,
        iconButton("forward", "Step forward", () => this.go(this.at + 1)),
        iconButton("last", "To the last step", () => this.go(max)),
        this.speed),
      h("div", { className: "tp-scrub" }, this.slider, marks),
      h("div", { className: "tp-where" }, this.link, this.time));
  }

  event(at) {
    const [view] = this.views;
    return view.recording.events[this.places[at][0]];
  }

  // The time between this step and the one before.
  gap(at) {
    return at === 0 || this.views[1] ? 0 : this.event(at).t - this.event(at - 1).t;
  }

  // The number of a step is that of its line; of two recordings, they are counted.
  number(at) {
    return this.views[1] ? at + 1 : this.event(at).step;
  }

  // Stepping -----------------------------------------------------------------------------------

  go(to, verdict = "") {
    const last = this.places.length - 1;
    const at = Math.min(Math.max(to, 0), last);
    if (at === this.at) return;
    const isNear = Math.abs(at - this.at) === 1;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const before = isNear && !isCalm ? this.marks() : new Map();
    this.at = at;
    this.status.ariaLive = this.timer ? "off" : "polite";
    this.views.forEach((view, i) => view.show(this.places[at][i]));
    const { says } = this.views[0];
    if (verdict) says.prepend(h("strong", {}, verdict), " ");
    const number = this.number(at);
    const said = this.views.map((it) => it.says.textContent).join(" ");
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `Step ${number}: ${said}`);
    this.link.href = `#${this.id}@${number}`;
    this.link.textContent = `Step ${number} of ${this.number(last)}`;
    const gap = this.gap(at);
    const { t } = this.event(at);
    this.time.textContent = this.views[1] ? "" : `, ${Fold.span(t)}: ${Fold.span(gap)} later`;
    this.time.className = gap < SLEPT ? "" : "tp-long";
    this.question();
    this.move(before);
  }

  goTo(number) {
    const past = this.places.findIndex((_, at) => this.number(at) > number);
    this.go(past < 0 ? this.places.length - 1 : past - 1);
  }

  toggle(isOn) {
    clearInterval(this.timer);
    this.timer = null;
    if (!this.play) return;
    setIcon(this.play, isOn ? "pause" : "play", isOn ? "Pause" : "Play");
    if (!isOn) return;
    const isAtEnd = () => this.at === this.places.length - 1;
    if (isAtEnd()) this.go(0);
    this.timer = setInterval(() => {
      if (isAtEnd() || this.asked || !this.isConnected) this.toggle(false);
      else this.go(this.at + 1);
    }, MS_A_STEP / this.speed.value);
  }

  // Where each task is, so that one that has been moved is seen to move.
  marks() {
    const marks = [...this.root.querySelectorAll(".tp-places .tp-mark")];
    return new Map(marks.map((it) => {
      const view = this.views.findIndex(({ places }) => places.contains(it));
      return [`${view} ${it.dataset.id}`, { it, box: it.getBoundingClientRect() }];
    }));
  }

  move(before) {
    if (before.size === 0) return;
    for (const [key, { it, box }] of this.marks()) {
      const was = before.get(key)?.box ?? box;
      const [x, y] = [was.x - box.x, was.y - box.y];
      if (Math.hypot(x, y) < 2) continue;
      it.animate({ transform: [`translate(${x}px, ${y}px)`, "none"] }, { duration: 350, easing: "ease" });
    }
  }

  // Predicting ---------------------------------------------------------------------------------

  question() {
    const [view, other] = this.views;
    const next = this.places[this.at + 1]?.[0];
    const isWanted = this.predict.checked && !other && next !== undefined;
    this.root.classList.toggle("tp-asks", this.predict.checked);
    this.asked = isWanted ? Fold.question(view.recording.events[next], view.states[next - 1]) : null;
    const buttons = this.asked?.choices.map((choice) =>
      h("button", { type: "button", onclick: () => this.answer(choice) }, choice.label));
    const legend = h("legend", {}, this.asked?.text ?? "");
    this.ask.replaceChildren(...(buttons ? [h("fieldset", {}, legend, buttons)] : []));
  }

  answer({ isRight }) {
    const right = this.asked.choices.filter((it) => it.isRight).map((it) => it.label);
    this.tally = [this.tally[0] + isRight, this.tally[1] + 1];
    this.score.textContent = `${this.tally.join(" of ")} right`;
    this.root.focus({ preventScroll: true });
    this.go(this.at + 1, isRight ? "Right." : `No: ${right.join(" and ")}.`);
  }

  // Recordings of one's own --------------------------------------------------------------------

  async open(file) {
    if (!file) return;
    const [book] = this.book;
    try {
      const mine = Fold.read(await file.text());
      const compared = this.compared(mine, book);
      const show = (label, ...recordings) =>
        h("button", { type: "button", onclick: () => this.build(recordings) }, label);
      this.build([mine]);
      this.tell(h("b", {}, file.name), ...mine.notes, ...compared,
        show("Side by side", mine, book), show("Back to the book’s recording", ...this.book));
    } catch (error) {
      this.tell(h("b", {}, file.name), "cannot be played.", error.message);
    }
  }

  compared(mine, book) {
    const [{ stage, sha }, other] = [mine.header, book.header];
    if (stage !== other.stage) return [`is of ${stage}, the book’s recording of ${other.stage}.`];
    const moved = sha === other.sha ? "" : "Its source has changed: the lit lines may be wrong.";
    const parted = Fold.difference(mine, book);
    if (!parted) return [moved, "takes the same steps as the book’s recording."];
    const [a, b] = [mine, book].map((recording, i) => {
      if (!parted[i]) return "it ends.";
      const at = recording.events.indexOf(parted[i]);
      return Fold.sentence(parted[i], Fold.fold(recording)[Math.max(0, at - 1)]);
    });
    const { step } = parted[0] ?? mine.events.at(-1);
    return [moved, "differs from the book’s recording at",
      h("a", { href: `#${this.id}@${step}` }, `step ${step}.`), `Yours: ${a} The book’s: ${b}`];
  }

  tell(...words) {
    this.note.hidden = false;
    this.note.replaceChildren(...words.flatMap((it) => [it, " "]));
  }

  // The outside --------------------------------------------------------------------------------

  listen() {
    const on = (name, act) => this.root.addEventListener(name, act);
    on("keydown", (event) => this.key(event));
    on("dragover", (event) => event.preventDefault());
    on("drop", (event) => {
      event.preventDefault();
      this.open(event.dataTransfer.files[0]);
    });
    window.addEventListener("hashchange", () => this.follow());
    // The book's column is narrow for a listing and tables; use the room beside it.
    const page = this.closest(".content") ?? document.body;
    new ResizeObserver(() => this.style.setProperty("--room", `${page.clientWidth}px`)).observe(page);
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
    const hasOwnUse = key === " " ? "button, a, select, input:not([type=range])" : "select";
    if (target.matches(hasOwnUse)) return;
    event.preventDefault();
    if (key !== " ") this.toggle(false);
    keys[key]();
  }

  // A link to a step: #id@12.
  follow() {
    const [, id, number] = /^#(.+)@(\d+)$/.exec(decodeURIComponent(location.hash)) ?? [];
    if (id !== this.id || !id) return;
    this.goTo(Number(number));
    this.scrollIntoView();
  }
}

customElements.define("trace-player", TracePlayer);
})();
