// <live-scheduler>: the reader decides what the clients and the kernel do, and the scheduler of stage
// 04 answers. Each decision is added to a list, and the whole list is run again (`live/`). The list
// stands in the address, so an address is a scenario.
(() => {
"use strict";

const Fold = globalThis.TraceFold;
const MISSIONS = globalThis.LiveMissions;
const PRACTICE = "practise";
const FREE = { id: "free", title: "As you like", goal: "No goal: see what happens.", start: "" };
const ALL = [...MISSIONS, FREE];
const MOST = 100_000; // bytes or milliseconds in one decision, as the program has it
const MOST_TOLD = 60;

// Bytes in an address, and what a reader types: \n is the end of a line.
function escaped(text) {
  const bytes = new TextEncoder().encode(text.replaceAll("\\n", "\n"));
  return [...bytes].map((it) => {
    const c = String.fromCharCode(it);
    return /[A-Za-z0-9]/.test(c) ? c : `%${it.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

// A field for a number that a decision needs.
function amount(move, ariaLabel, about) {
  const it = h("input", { type: "number", required: true, ariaLabel, ...about });
  it.dataset.move = move;
  return it;
}

const shown = (text) => (text ? JSON.stringify(text) : "nothing");
const joined = (moves) => moves.filter(Boolean).join(",");
const split = (text) => text.split(",").filter(Boolean);

class LiveScheduler extends HTMLElement {
  async connectedCallback() {
    if (this.root) return;
    this.root = h("section", { className: "live", ariaLabel: this.getAttribute("label") });
    this.append(this.root);
    try {
      this.program = await LiveRun.load(globalThis.LIVE_PROGRAM);
      this.root.append(...this.parts());
      this.follow();
      // A link to a heading of the page leaves the scenario as it is.
      addEventListener("hashchange", () => location.hash.startsWith("#live=") && this.follow());
      this.dataset.on = "";
    } catch (error) {
      this.root.replaceChildren(h("p", { role: "alert" },
        `This browser cannot run the scheduler (${error.message}). One of the last two years can.`));
    }
  }

  parts() {
    this.choice = h("div", { className: "live-missions", role: "group", ariaLabel: "Missions" });
    this.task = h("div", { className: "live-task", tabIndex: -1 });
    this.message = h("div", { className: "live-message", role: "status" });
    this.board = h("div", "live-board");
    this.said = h("div", { className: "live-said", role: "status", tabIndex: -1 });
    this.list = h("details", "live-list");
    this.stage = h("div", "live-stage");
    const full = button("Full screen", () => this.root.requestFullscreen());
    return [h("div", "live-head", this.choice, full), this.task, this.message, this.board, this.said, this.list, this.stage];
  }

  play(moves = this.moves) {
    const played = JSON.parse(this.program.play(joined(moves)));
    if (played.error) throw new Error(played.error);
    played.run = Fold.read(played.recording);
    played.sentences = LiveWords.sentences(played.run);
    return played;
  }

  // The address: #live=lie:connect,truth or #live=practise:7.
  follow() {
    const [, id, rest = ""] = /^#live=(\w+):?(.*)$/.exec(location.hash) ?? [];
    if (id) this.scrollIntoView();
    if (id === PRACTICE) return this.practise(Number(rest));
    const mission = ALL.find((it) => it.id === id) ?? this.mission ?? ALL[0];
    const text = rest.replaceAll("%2C", ",");
    if (mission === this.mission && text === joined(this.moves)) return;
    this.begin(mission, id && text ? split(text) : undefined);
  }

  begin(mission, moves = split(mission.start)) {
    const hasFocus = this.root.contains(document.activeElement);
    this.mission = mission;
    this.moves = moves;
    this.least = joined(moves).startsWith(mission.start) ? split(mission.start).length : 0;
    this.before = 0;
    this.predicted = false;
    this.choose();
    this.asks();
    try {
      this.played = this.play();
    } catch (error) {
      this.moves = split(mission.start);
      this.played = this.play();
      this.tell(h("strong", "", "The address is wrong: "), error.message);
    }
    if (this.played.refused) {
      this.tell(h("strong", "", "Not possible: "), this.played.refused);
      this.moves = this.moves.slice(0, this.offset() + this.played.decided.length);
    }
    this.show();
    if (hasFocus) this.task.focus({ preventScroll: true });
  }

  choose() {
    const label = ({ id, title }, at) => {
      const isDone = kept(`bricks-live ${id}`) === "done";
      return `${at < MISSIONS.length ? `${at + 1}. ` : ""}${title}${isDone ? " ✓" : ""}`;
    };
    const one = (text, isChosen, act) => Object.assign(button(text, act), { ariaPressed: `${isChosen}` });
    this.choice.replaceChildren(
      ...ALL.map((it, at) => one(label(it, at), it === this.mission, () => this.begin(it))),
      one("Practise", !this.mission, () => this.practise(1 + Math.floor(Math.random() * 1e6))));
  }

  // The goal, and what is to be predicted before it.
  asks() {
    const { goal, hint, question } = this.mission;
    const answer = ([label, isRight, why]) => button(label, () => {
      this.predicted = true;
      this.tell(h("strong", "", isRight ? "Right: " : "No: "), isRight ? "" : `not “${label}”. `, why);
      this.show();
    });
    this.tell();
    this.task.replaceChildren(
      h("p", "live-goal", goal),
      question ? h("fieldset", "", h("legend", "", question.text), question.choices.map(answer)) : "",
      hint ? h("details", "", h("summary", "", "A hint"), h("p", "", hint)) : "");
  }

  tell(...words) {
    this.message.replaceChildren(...words);
  }

  // A decision of the reader. In a mission where select answers by itself, it does so now.
  decide(...moves) {
    const all = [...this.moves, ...moves];
    let played;
    this.tell();
    try {
      played = this.play(all);
      if (this.mission.isAutomatic && played.now.possible.includes("truth")) {
        all.push("truth");
        played = this.play(all);
      }
    } catch (error) {
      this.tell(h("strong", "", "Not possible: "), error.message);
      return;
    }
    this.before = this.played.sentences.size;
    this.moves = all;
    this.played = played;
    this.show();
  }

  undo(length) {
    this.moves = this.moves.slice(0, Math.max(length, this.least));
    this.before = 0;
    this.played = this.play();
    this.show();
  }

  show() {
    const focus = document.activeElement?.dataset.move;
    history.replaceState(null, "", `#live=${this.mission.id}:${joined(this.moves)}`);
    this.board.replaceChildren(this.clients(), this.kernel());
    this.answered();
    this.decided();
    this.check();
    this.watch();
    if (!focus) return;
    const again = this.board.querySelector(`[data-move="${focus}"]:enabled`);
    (again ?? this.said).focus({ preventScroll: true });
  }

  can(kind) {
    const { allows, question } = this.mission;
    const isAsked = question && !this.predicted && /^(select|truth)$/.test(kind);
    return this.played.now.possible.includes(kind) && !isAsked && (allows?.(kind) ?? true);
  }

  // A button for a kind of decision, which can be pressed if that is possible now. If the decision has
  // a number, the browser says what is wrong with it.
  button(label, kind, moves, number) {
    const it = button(label, () => {
      if (!number || number.reportValidity()) this.decide(...moves());
    });
    it.disabled = !this.can(kind);
    it.dataset.move = kind;
    return it;
  }

  clients() {
    const { clients } = this.played.now;
    const rows = clients.map((it, at) => this.client(it, at + 1));
    return h("fieldset", "", h("legend", "", "The clients"),
      this.button("A client connects", "connect", () => ["connect"]), rows);
  }

  client(it, number) {
    const text = h("input", { type: "text", value: "hi\\n", size: 8, ariaLabel: `What client ${number} sends` });
    text.dataset.move = `${number}:text`;
    text.onkeydown = ({ key }) => {
      if (key === "Enter") send.click();
    };
    const send = this.button("Send", `${number}:send`, () => [`${number}:send=${escaped(text.value || "\\n")}`]);
    const state = it.reset ? "reset" : it.closed ? "closed by the server"
      : it.fd === null ? "waits to be accepted" : `descriptor ${it.fd}`;
    const ended = it.ended && !it.reset ? ", sends no more" : "";
    const can = (kind) => this.can(`${number}:${kind}`);
    const act = (label, kind) => (can(kind) ? this.button(label, `${number}:${kind}`, () => [`${number}:${kind}`]) : []);
    const room = amount(`${number}:bytes`, `Room for client ${number}, in bytes`, { min: 0, max: MOST, value: 1 });
    return h("div", { className: "live-client", role: "group", ariaLabel: `Client ${number}` },
      h("p", "", h("b", "", `Client ${number}`), ` (${state}${ended})`),
      h("p", "live-bytes", `to the server: ${shown(it.to_server)} · to the client: ${shown(it.to_client)} · it has read: ${shown(it.received)}`),
      h("div", "live-row", can("send") ? [text, send] : [], act("Read what has come", "read"),
        act("Send no more", "end"), act("Reset", "reset"),
        can("room") ? h("span", "live-row", this.button("Room for", `${number}:room`, () => [`${number}:room=${Number(room.value)}`], room), room, "bytes") : []));
  }

  kernel() {
    const { watched, timeout, over } = this.played.now;
    if (over) return h("fieldset", "", h("legend", "", "The kernel"), h("p", "", "The server has ended."));
    const boxes = watched.map(({ fd, read, ready }) => {
      const input = h("input", { type: "checkbox", checked: ready, disabled: !this.can("select") });
      const label = `${fd} can be ${read ? "read" : "written"}${ready ? "" : " (not true)"}`;
      input.dataset.move = `${fd}${read ? "r" : "w"}`;
      return { input, ready, name: input.dataset.move, item: h("label", "", input, ` ${label}`) };
    });
    // The truth is called so: then the list stays right if something before it changes.
    const isTrue = () => boxes.every((it) => it.input.checked === it.ready);
    const ticked = () => boxes.filter((it) => it.input.checked);
    const returns = this.button("select returns", "select", () =>
      [isTrue() ? "truth" : `select=${ticked().map((it) => it.name).join("+")}`]);
    // It may report what is not ready, but while something is, it cannot report nothing.
    const enable = () => {
      returns.disabled = !(isTrue() ? this.can("truth") : ticked().length > 0 && this.can("select"));
    };
    boxes.forEach((it) => (it.input.onchange = enable));
    enable();
    const most = Math.ceil(timeout);
    const sleeps = timeout === null ? "It sleeps until something is ready." : timeout === 0
      ? "It does not sleep: there is work to go on with." : `It sleeps for ${most} ms at most.`;
    const time = amount("milliseconds", "Milliseconds", { min: 1, max: most, value: most });
    return h("fieldset", "", h("legend", "", "The kernel"),
      h("p", "", `select is asked about ${boxes.length ? "these" : "nothing"}. ${sleeps}`),
      h("div", "live-asked", boxes.map((it) => it.item)),
      h("div", "live-row", returns,
        this.can("time") ? h("span", "live-row", time, "ms", this.button("pass", "time", () => [`time=${Number(time.value)}`], time)) : [],
        this.can("accept-fails") ? this.button("No descriptor is left", "accept-fails", () => ["accept-fails"]) : [],
        this.can("stop") ? this.button("Ctrl-C", "stop", () => ["stop"]) : []));
  }

  // What the scheduler did about the last decision.
  answered() {
    const { sentences, decided, log } = this.played;
    const all = [...sentences].slice(this.before);
    const news = all.slice(-MOST_TOLD);
    const last = news.length < all.length ? ` (the last ${MOST_TOLD} of ${all.length} steps)` : "";
    const what = this.before === 0 ? `So far, the scheduler has done this${last}` : `${decided.at(-1)} The scheduler answers${last}`;
    this.said.replaceChildren(h("p", "", news.length ? `${what}:` : `${decided.at(-1)} The scheduler sleeps on.`),
      h("ol", { tabIndex: 0, ariaLabel: "Steps" }, news.map(([number, it]) => h("li", { value: number }, it))),
      log.length ? h("p", "live-log", `The server has printed: ${log.join(" / ")}`) : "");
  }

  decided() {
    const isOpen = this.list.querySelector(":scope > summary") && this.list.open;
    const skipped = this.least;
    const backTo = (length) => {
      const it = button("Back to here", () => this.undo(this.offset() + length));
      it.dataset.move = "back"; // it is gone then, and the focus goes to the other one
      return it;
    };
    const items = this.played.decided.map((it, at) => h("li", "", `${it} `,
      at + 1 < this.played.decided.length && at >= skipped - 1 ? backTo(at + 1) : ""));
    const back = button("Take the last back", () => this.undo(this.moves.length - 1));
    back.disabled = this.moves.length <= this.least;
    back.dataset.move = "back";
    const again = button("Begin again", () => this.begin(this.mission));
    const next = ALL[ALL.indexOf(this.mission) + 1];
    this.list.replaceChildren(h("summary", "", `${items.length} decisions so far`), h("ol", "", items),
      h("p", "", "The address of this page has them all: send it to somebody, and they see the same."));
    this.list.hidden = false;
    this.list.open = Boolean(isOpen);
    this.board.append(h("div", "live-row live-back", back, again,
      next ? button("The next mission", () => this.begin(next)) : []));
  }

  // "second" is no decision.
  offset() {
    return this.moves[0] === "second" ? 1 : 0;
  }

  check() {
    const { mission, moves, played } = this;
    if (!mission.isReached || (mission.question && !this.predicted)) return;
    const { events } = played.run;
    const at = (length) => this.play(moves.slice(0, length)).now;
    if (!mission.isReached({ events, moves, now: played.now, at })) return;
    kept(`bricks-live ${mission.id}`, "done");
    this.choose();
    this.tell(h("strong", "", "Done. "), mission.why);
  }

  // The whole run in the player, at its last step.
  watch() {
    const { recording, run, sentences } = this.played;
    if (!this.player) {
      this.player = h("trace-player", { id: "live-run" },
        h("script", { type: "application/x-jsonlines", textContent: recording }));
      this.player.setAttribute("label", "The run so far, step by step");
      this.stage.replaceChildren(this.player);
    }
    this.player.says.set(run, sentences);
    this.player.build([run]);
    // The address is the scenario's: a link to a step would replace it.
    const { link } = this.player;
    link.removeAttribute("href");
    Object.defineProperty(link, "href", { set() {} });
    this.player.go(Infinity);
  }

  practise(number) {
    const hasFocus = this.root.contains(document.activeElement);
    const seed = number >>> 0; // as the program takes it
    this.mission = undefined;
    this.player = undefined;
    this.choose();
    this.tell();
    history.replaceState(null, "", `#live=${PRACTICE}:${seed}`);
    const it = JSON.parse(this.program.practise(seed));
    const choice = (label, at) => button(label, () => {
      const isRight = at === it.right;
      this.tell(h("strong", "", isRight ? "Right: " : "No: "),
        isRight ? "" : `the answer is “${it.choices[it.right]}”. `, it.why, " ",
        button("Watch it", () => this.begin(FREE, split(it.scenario))),
        button("Another", () => this.practise(seed + 1)));
      this.message.querySelector("button:last-of-type").focus();
    });
    this.task.replaceChildren(
      h("p", "live-goal", `Practice ${seed}. (In a terminal: cargo xtask practise --seed ${seed})`),
      h("ol", "live-told", it.told.map((line) => h("li", "", line))),
      h("ul", "", it.places.map((line) => h("li", "", line))),
      h("fieldset", "", h("legend", "", it.question), it.choices.map(choice)));
    this.board.replaceChildren();
    this.said.replaceChildren();
    this.list.hidden = true;
    this.stage.replaceChildren();
    if (hasFocus) this.task.focus({ preventScroll: true });
  }
}

customElements.define("live-scheduler", LiveScheduler);
})();
