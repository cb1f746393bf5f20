// The projector view: one thing a screen, in large type, for a class to look at. The screens of a
// page are its title, its figures, its listings and its questions, in their order. A listing is
// stepped through part by part, and a question's answer comes when it is asked for. What is folded
// stays away, unless somebody has unfolded it.
//
// It starts with the key P, with the button in the menu bar, or with `?projector` in the address.
(() => {
"use strict";

const main = document.querySelector("#mdbook-content main");
if (!main || !window.HTMLDialogElement) return;

const LARGEST = 34; // pixels, for a listing; text is as large as the screen has room for
const SMALLEST = 18;
const READABLE = 1.5; // how much larger than on the page a figure is at least
const SHORT = 6; // lines that are not worth dividing

function h(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

// What there is to show ----------------------------------------------------------------------

// What a folded answer answers: a prediction, with its choices, or what is above it in its item of a
// list. None if it is no answer.
function question(details) {
  if (details.asked) return details.asked;
  const asked = [];
  for (let it = details.previousElementSibling; it?.matches("p, ul, ol"); it = it.previousElementSibling) {
    asked.unshift(it);
  }
  return details.closest("li") ? asked : null;
}

function screens() {
  const found = [];
  const wanted = "h1, h2, .figure, pre > code, .prediction, details";
  let heading = "";
  const titles = [...main.querySelectorAll("h1")];
  for (const it of main.querySelectorAll(wanted)) {
    if (it.closest(".teacher, trace-player")) continue;
    const folded = it.parentElement.closest("details");
    if (folded && (!folded.open || question(folded))) continue;
    const add = (kind, what) => found.push({ kind, heading, from: it, ...what });
    if (it.matches("h1")) {
      heading = "";
      const goals = titles.length === 1 && main.querySelector("h1 ~ ul");
      const above = goals?.previousElementSibling;
      add("text", { asked: [it, ...(goals && above.matches("p") ? [above, goals] : [])] });
    } else if (it.matches("h2")) {
      heading = it.textContent.trim();
    } else if (it.matches(".figure")) {
      if (it.querySelector("svg")) add("figure", { figure: it });
    } else if (it.matches("code")) {
      add("listing", { code: it, caption: caption(it.parentElement) });
    } else if (it.matches(".prediction")) {
      // What stands between the choices and the answer gives it away: first the question alone.
      if (it.nextElementSibling !== it.answer) add("text", { asked: it.answer.asked });
    } else if (question(it)) {
      add("text", { asked: question(it), answer: it });
    }
  }
  return found.concat({ kind: "end", heading: "", from: main.lastElementChild });
}

// `path: what it is`, in emphasis in the paragraph above.
function caption(pre) {
  return pre.previousElementSibling?.querySelector(":scope > em:first-child")?.textContent ?? "";
}

// The lines of a highlighted listing: each a list of pieces with their colours.
function lines(code) {
  const all = [[]];
  const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    const className = parentElement === code ? "" : parentElement.className;
    data.split("\n").forEach((text, at) => {
      if (at > 0) all.push([]);
      if (text) all.at(-1).push({ text, className });
    });
  }
  while (all.length > 1 && text(all.at(-1)).trim() === "") all.pop();
  return all;
}

const text = (line) => line.map((it) => it.text).join("");

// Where the parts of a listing begin and end: at empty lines; a long part is divided further, into
// what stands in its block.
function parts(code) {
  const all = lines(code).map(text);
  const whole = { start: 0, end: all.length };
  if (code.matches(".language-console, .language-sh")) return eachLine(all);
  if (code.matches(".language-diff")) return changes(all);
  const found = pieces(all, whole, (at) => all[at].trim() === "" && indent(all[at + 1] ?? "") === 0);
  return found.flatMap((it) => divide(all, it));
}

const indent = (line) => line.length - line.trimStart().length;
const isEmpty = (all, { start, end }) => all.slice(start, end).every((it) => it.trim() === "");

function eachLine(all) {
  return all.map((_, at) => ({ start: at, end: at + 1 })).filter((it) => !isEmpty(all, it));
}

// What was added or taken away in one place.
function changes(all) {
  const found = [];
  all.forEach((line, at) => {
    if (!/^[+-](?![+-]{2} )/.test(line)) return;
    if (found.at(-1)?.end === at) found.at(-1).end += 1;
    else found.push({ start: at, end: at + 1 });
  });
  return found;
}

// Divides the lines at those for which `isGap` is true, which belong to no piece.
function pieces(all, { start, end }, isGap) {
  const found = [];
  let from = start;
  for (let at = start; at <= end; at += 1) {
    if (at < end && !isGap(at)) continue;
    if (at > from && !isEmpty(all, { start: from, end: at })) found.push({ start: from, end: at });
    from = at + 1;
  }
  return found;
}

function divide(all, part) {
  if (part.end - part.start <= SHORT) return [part];
  const depth = (at) => indent(all[at]);
  const filled = (at) => all[at].trim() !== "";
  const isComment = (at) => /^\s*(\/\/|#)/.test(all[at]);
  const closes = (at) => /^\s*[})\]]/.test(all[at]);
  const inside = [];
  for (let at = part.start; at < part.end; at += 1) {
    if (filled(at) && depth(at) > depth(part.start)) inside.push(depth(at));
  }
  // A statement begins at a line of this depth, with the comments above it.
  const statements = (level) => {
    const starts = [part.start];
    for (let at = part.start + 1; at < part.end; at += 1) {
      const begins = filled(at) && depth(at) === level && !closes(at);
      if (begins && !(isComment(at - 1) && depth(at - 1) === level)) starts.push(at);
    }
    return starts;
  };
  let starts = isComment(part.start) ? statements(depth(part.start)) : [part.start];
  // Else into what stands in its block: the comment goes with the line that opens it.
  if (starts.length === 1) starts = statements(Math.min(...inside));
  if (starts.length === 1) return [part];
  const found = starts.map((start, at) => ({ start, end: starts[at + 1] ?? part.end }));
  // One-liners go together.
  const joined = [];
  for (const it of found) {
    const last = joined.at(-1);
    if (last && it.end - last.start <= 3) last.end = it.end;
    else joined.push({ ...it });
  }
  return joined.flatMap((it) => (it.start === part.start && it.end === part.end ? it : divide(all, it)));
}

// The view ------------------------------------------------------------------------------------

const place = h("p", { className: "pj-place" });
const path = h("p", { className: "pj-path" });
const stage = h("div", { className: "pj-stage", tabIndex: 0 });
const count = h("p", { className: "pj-count" });
count.setAttribute("aria-live", "polite");
const button = (label, onclick) => h("button", { type: "button", onclick }, label);
const dialog = h("dialog", { className: "projector", ariaLabel: "Projector view" },
  h("div", { className: "pj-head" }, place, path),
  stage,
  h("div", { className: "pj-foot" }, count,
    button("Back", () => step(-1)), button("Next", () => step(1)),
    button("Leave", leave)));
document.body.append(dialog);

let all = [];
let at = 0;
let now = 0; // which step of the screen; the first shows it as a whole
let last = 0;
let marked = [];
let bringBack = () => {};

function clone(element) {
  const copy = element.cloneNode(true);
  copy.removeAttribute("id");
  copy.querySelectorAll("[id]").forEach((it) => it.removeAttribute("id"));
  copy.querySelectorAll(".buttons, .teacher, input, .said").forEach((it) => it.remove());
  copy.querySelectorAll("a").forEach((it) => it.replaceWith(...it.childNodes));
  copy.querySelectorAll("[tabindex]").forEach((it) => it.removeAttribute("tabindex"));
  return copy;
}

const title = () => document.querySelector("main h1")?.textContent ?? "";

function show(index, atItsEnd = false) {
  bringBack();
  bringBack = () => {};
  at = Math.min(Math.max(index, 0), all.length - 1);
  const screen = all[at];
  place.textContent = [title(), screen.heading].filter(Boolean).join(" · ");
  path.textContent = screen.caption ?? "";
  stage.className = `pj-stage pj-${screen.kind}`;
  marked = [];
  last = 0;
  stage.style.fontSize = "";
  stage.replaceChildren();
  ({ listing, figure, text: words, end })[screen.kind](screen);
  stage.scrollTop = 0;
  mark(atItsEnd ? last : 0);
}

function listing({ code }) {
  const rows = lines(code).map((line) => {
    const pieces = line.map(({ text, className }) => h("span", { className }, text));
    return h("span", { className: "pj-line" }, ...pieces);
  });
  const all = parts(code);
  if (all.length > 1) {
    marked = all.map(({ start, end }) => rows.slice(start, end));
    last = all.length;
  }
  const box = h("code", { className: `${code.className} pj-code` }, ...rows);
  stage.append(h("pre", {}, box));
  fit(LARGEST);
}

// The figure itself is moved here: a copy would have the ids of the original.
function figure({ figure }) {
  const svg = figure.querySelector("svg");
  const stay = document.createComment("figure");
  const { width, height } = svg.viewBox.baseVal;
  svg.replaceWith(stay);
  stage.append(svg);
  // Its smallest text is 12 units, and has to be read from the last row.
  const fits = Math.min(stage.clientWidth, (stage.clientHeight * width) / height);
  svg.style.width = `${Math.min(stage.clientWidth, Math.max(fits, width * READABLE))}px`;
  bringBack = () => {
    svg.style.width = "";
    stay.replaceWith(svg);
  };
}

function words({ asked, answer }) {
  stage.append(h("div", { className: "pj-asked" }, ...asked.map(clone)));
  if (answer) {
    const inside = [...answer.children].filter((it) => !it.matches("summary"));
    stage.append(h("div", { className: "pj-answer", hidden: true }, ...inside.map(clone)));
    last = 1;
  }
  fit(LARGEST);
}

function end() {
  const next = document.querySelector("link[rel=next], a[rel~=next]")?.href;
  stage.append(h("p", {}, "The end of this page."));
  if (next) stage.append(h("p", {}, h("a", { href: `${next}?projector` }, "The next page")));
  fit(LARGEST);
  stage.querySelector("a")?.focus();
}

// As large as fits; what is too long for the smallest size is scrolled.
function fit(largest) {
  const isTooLarge = () => stage.scrollHeight > stage.clientHeight || isTooWide();
  let size = largest;
  const set = () => (stage.style.fontSize = `${size}px`);
  for (set(); size > SMALLEST && isTooLarge(); set()) size -= 1;
  if (stage.scrollHeight <= stage.clientHeight) return;
  // It is scrolled anyhow, so it may be as large as its lines allow.
  for (size = Math.min(largest, 26), set(); size > SMALLEST && isTooWide(); set()) size -= 1;
}

// Long lines are wrapped, so they are never too wide; but it reads better if none is.
function isTooWide() {
  const code = stage.querySelector(":scope > pre > code");
  if (!code) return false;
  code.classList.add("pj-unwrapped");
  const wide = code.scrollWidth > code.clientWidth;
  code.classList.remove("pj-unwrapped");
  return wide;
}

function mark(step) {
  now = step;
  const lit = now > 0 ? marked[now - 1] : undefined;
  stage.classList.toggle("pj-dims", Boolean(lit));
  stage.querySelectorAll(".pj-lit").forEach((it) => it.classList.remove("pj-lit"));
  lit?.forEach((it) => it.classList.add("pj-lit"));
  if (lit) center(lit);
  else if (marked.length > 0) stage.scrollTop = 0;
  const answer = stage.querySelector(".pj-answer");
  if (answer && answer.hidden !== (now === 0)) {
    answer.hidden = now === 0;
    fit(LARGEST);
  }
  const steps = marked.length > 0 && now > 0 ? ` · part ${now} of ${last}` : "";
  const folded = answer?.hidden ? " · the answer comes next" : "";
  count.textContent = `${at + 1} of ${all.length}${steps}${folded}`;
}

function center(rows) {
  const top = rows[0].offsetTop;
  const bottom = rows.at(-1).offsetTop + rows.at(-1).offsetHeight;
  const room = stage.clientHeight - (bottom - top);
  stage.scrollTop = top - Math.max(room / 2, 0);
}

function step(by) {
  const rest = by > 0 ? stage.scrollHeight - stage.clientHeight - stage.scrollTop : stage.scrollTop;
  if (marked.length === 0 && rest > 2) {
    stage.scrollTop += by * stage.clientHeight * 0.85;
  } else if (now + by >= 0 && now + by <= last) {
    mark(now + by);
  } else if (all[at + by]) {
    show(at + by, by < 0);
  }
}

// Starting and leaving ------------------------------------------------------------------------

function start() {
  if (dialog.open) return;
  all = screens();
  // Begin with what is in the window.
  const top = document.querySelector("#mdbook-menu-bar")?.offsetHeight ?? 0;
  const first = scrollY < 50 ? 0 : all.findIndex((it) => it.from.getBoundingClientRect().bottom > top);
  dialog.showModal();
  stage.focus();
  show(first < 0 ? 0 : first);
}

// The figure is back before the dialog has closed: the event "close" comes later, and by then
// somebody may have started again.
function leave() {
  bringBack();
  bringBack = () => {};
  dialog.close();
  if (at > 0) all[at].from.scrollIntoView({ block: "center" });
}

dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});

const isTyping = (target) => target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");

const KEYS = {
  ArrowRight: () => step(1), PageDown: () => step(1),
  ArrowLeft: () => step(-1), PageUp: () => step(-1),
  ArrowDown: () => show(at + 1), ArrowUp: () => show(at - 1),
  Home: () => show(0), End: () => show(all.length - 1),
  Escape: leave, p: leave,
};

// Before anybody else sees a key: mdBook would turn the page.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (!dialog.open) {
    if (event.key === "p" && !isTyping(event.target)) {
      event.preventDefault();
      start();
    }
    return;
  }
  event.stopPropagation();
  const isPressed = event.target.closest?.("button, a");
  const act = event.key === " " && !isPressed ? () => step(event.shiftKey ? -1 : 1) : KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}, true);

let resized = 0;
addEventListener("resize", () => {
  if (!dialog.open) return;
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => {
    const step = now;
    show(at);
    mark(step);
  });
});

const bar = document.querySelector("#mdbook-menu-bar .right-buttons");
if (bar) {
  const opens = h("button", { type: "button", className: "icon-button", onclick: start });
  opens.id = "bricks-projector-start";
  opens.title = opens.ariaLabel = "Projector view (P)";
  opens.setAttribute("aria-keyshortcuts", "p");
  opens.innerHTML = `<svg viewBox="0 0 20 16" aria-hidden="true">
    <path d="M0 0h20v2h-1v9H1V2H0zM3 2v7h14V2zM9 11h2v2l4 3h-2.5l-2.5-1.800L7.500 16H5l4-3z"/></svg>`;
  bar.prepend(opens);
}
if (new URLSearchParams(location.search).has("projector")) addEventListener("load", start);
})();
