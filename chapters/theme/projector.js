// The projector view: the title, figures, listings and questions of a page, one a screen, in large
// type. A listing is stepped through part by part, and an answer comes when it is asked for. It
// starts with the key P, a button in the menu bar, or `?projector` in the address.
(() => {
"use strict";

const main = document.querySelector("#mdbook-content main");
if (!main || !window.HTMLDialogElement) return;

const LARGEST = 34; // pixels, for a listing; text is as large as the screen has room for
const SMALLEST = 18;
const READABLE = 1.5; // how much larger than on the page a figure is at least

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

// The lines of a listing, with their colours.
function lines(code) {
  const language = /language-(\w+)/.exec(code.className)?.[1];
  return code.textContent.trimEnd().split("\n").map((text) => {
    const row = h("span", "pj-line", text);
    if (window.hljs?.getLanguage(language)) row.innerHTML = hljs.highlight(language, text).value;
    return row;
  });
}

// The parts of a listing: in a terminal each line, in a diff what has changed in one place, and in
// code each item, with the comment above it; of a long one each statement, and so on.
function parts(code, rows) {
  const all = rows.map((row) => ({ row, text: row.textContent, depth: row.textContent.search(/\S/) }))
    .filter((it) => it.depth >= 0);
  all.forEach((it, at) => (it.above = all[at - 1]?.text ?? ""));
  const isChange = (text) => /^[+-](?![+-]{2} )/.test(text);
  const split = (lines, begins) => lines.reduce((found, it, at) => {
    if (at === 0 || begins(it)) found.push([]);
    found.at(-1).push(it);
    return found;
  }, []);
  const goesOn = ({ text, above }) => /^\s*(\/\/|#)/.test(above) || /^\s*[})\]]/.test(text);
  const divide = (lines, depth) => (lines.length < 7 ? [lines]
    : split(lines, (it) => it.depth <= depth && !goesOn(it))
      .flatMap((it) => (depth > 24 ? [it] : divide(it, depth + 4))));
  let found = divide(all, Math.min(...all.map((it) => it.depth)));
  if (code.matches(".language-console, .language-sh")) found = all.map((it) => [it]);
  if (code.matches(".language-diff")) {
    found = split(all.filter((it) => isChange(it.text)), (it) => !isChange(it.above));
  }
  return found.map((lines) => lines.map((it) => it.row));
}

const place = h("p", "pj-place");
const path = h("p", "pj-path");
const stage = h("div", { className: "pj-stage", tabIndex: 0 });
const count = h("p", { className: "pj-count", ariaLive: "polite" });
const button = (label, onclick) => h("button", { type: "button", onclick }, label);
const dialog = h("dialog", { className: "projector", ariaLabel: "Projector view" },
  h("div", "pj-head", place, path),
  stage,
  h("div", "pj-foot", count,
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
  const all = [copy, ...copy.querySelectorAll("*")];
  all.forEach((it) => ["id", "tabindex"].forEach((name) => it.removeAttribute(name)));
  copy.querySelectorAll(".buttons, .teacher, input, .said").forEach((it) => it.remove());
  copy.querySelectorAll("a").forEach((it) => it.replaceWith(...it.childNodes));
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
  const rows = lines(code);
  const found = parts(code, rows);
  if (found.length > 1) {
    marked = found;
    last = found.length;
  }
  stage.append(h("pre", "", h("code", `${code.className} pj-code`, rows)));
  fit();
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
  stage.append(h("div", "pj-asked", asked.map(clone)));
  if (answer) {
    const inside = [...answer.children].filter((it) => !it.matches("summary"));
    stage.append(h("div", { className: "pj-answer", hidden: true }, inside.map(clone)));
    last = 1;
  }
  fit();
}

function end() {
  const next = document.querySelector("link[rel=next], a[rel~=next]")?.href;
  stage.append(h("p", "", "The end of this page."));
  if (next) stage.append(h("p", "", h("a", { href: `${next}?projector` }, "The next page")));
  fit();
  stage.querySelector("a")?.focus();
}

// As large as fits; what is too long for the smallest size is scrolled.
function fit() {
  let size = LARGEST;
  do stage.style.fontSize = `${size}px`;
  while (stage.scrollHeight > stage.clientHeight && (size -= 1) >= SMALLEST);
}

function mark(step) {
  now = step;
  const lit = now > 0 ? marked[now - 1] : undefined;
  stage.classList.toggle("pj-dims", Boolean(lit));
  stage.querySelectorAll(".pj-lit").forEach((it) => it.classList.remove("pj-lit"));
  lit?.forEach((it) => it.classList.add("pj-lit"));
  if (marked.length > 0) stage.scrollTop = 0;
  if (lit) {
    const top = lit[0].offsetTop;
    const height = lit.at(-1).offsetTop + lit.at(-1).offsetHeight - top;
    stage.scrollTop = top - Math.max((stage.clientHeight - height) / 2, 0);
  }
  const answer = stage.querySelector(".pj-answer");
  if (answer && answer.hidden !== (now === 0)) {
    answer.hidden = now === 0;
    fit();
  }
  const steps = marked.length > 0 && now > 0 ? ` · part ${now} of ${last}` : "";
  const folded = answer?.hidden ? " · the answer comes next" : "";
  count.textContent = `${at + 1} of ${all.length}${steps}${folded}`;
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

// The figure is back before the dialog has closed: the event "close" comes later.
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

addEventListener("resize", () => {
  if (!dialog.open) return;
  const step = now;
  show(at);
  mark(step);
});

menuButton("bricks-projector-start", "Projector view (P)",
  "M0 0h20v2h-1v9H1V2H0zM3 2v7h14V2zM9 11h2v2l4 3h-2.5l-2.5-1.800L7.500 16H5l4-3z", start)
  ?.setAttribute("aria-keyshortcuts", "p");
if (new URLSearchParams(location.search).has("projector")) addEventListener("load", start);
})();
