// The projector view: the title, figures, listings and questions of a page, one a screen, in large
// type. A listing is stepped through part by part, and an answer comes when it is asked for. It
// starts with the key P, a button in the menu bar, or `?projector` in the address.
(() => {
"use strict";

const main = document.querySelector("#mdbook-content main");
if (!main) return;

const LARGEST = 34; // pixels of the type
const SMALLEST = 18;
const READABLE = 1.5; // how much larger than on the page a figure is at least
const PRESSES = 24; // for a page, if all fits
const SHORT = 6; // lines of a statement that is one part

function question({ asked, parentElement: item }) {
  return asked ?? (item.matches("li") && [...item.children].filter((it) => !it.matches("details")));
}

function screens() {
  const found = [];
  let heading = "";
  for (const it of main.querySelectorAll("h1, h2, .figure:has(svg), pre > code:not(.language-sh), .prediction, details")) {
    const folded = it.parentElement.closest("details");
    if (it.closest(".teacher, trace-player") || (folded && (!folded.open || question(folded)))) continue;
    const add = (what) => found.push({ heading, from: it, ...what });
    if (it.matches("h1, h2")) heading = it.textContent.trim();
    if (it.matches("h1")) {
      const above = it.nextElementSibling?.nextElementSibling;
      const goals = above?.nextElementSibling;
      add({ asked: goals?.matches("ul") ? [it, above, goals] : [it] });
    } else if (it.matches(".figure")) {
      add({ figure: it.querySelector("svg") });
    } else if (it.matches("code")) {
      // `path: what it is`, in emphasis in the paragraph above.
      const path = it.parentElement.previousElementSibling?.querySelector(":scope > em:first-child");
      add({ code: it, caption: path?.textContent });
    } else if (it.matches(".prediction")) {
      // What stands before the answer may give it away.
      it.answer.isAsked = it.nextElementSibling !== it.answer;
      if (it.answer.isAsked) add({ asked: it.answer.asked });
    } else if (question(it)) {
      add({ asked: question(it), answer: it });
    }
  }
  // The parts are as small as the presses of a page allow.
  for (let most = 1, all = Infinity; all > PRESSES && most < 99; most += 1) {
    for (const it of found) it.parts = it.code ? parts(it.code, most) : it.answer && !it.answer.isAsked ? [[]] : [];
    all = found.reduce((sum, it) => sum + 1 + it.parts.length, 0);
  }
  return [...found, { heading: "", from: main.lastElementChild, parts: [] }];
}

// The parts of a listing, as the numbers of their lines: each statement, match arm or signature, with
// the comment above it. Neighbours of together at most so many lines are one part. Terminals and
// diffs have none.
function parts(code, most) {
  if (!code.matches(".language-rust, .language-python")) return [];
  const closes = ({ text }) => /^\s*[})\]]/.test(text);
  const isNote = ({ text }) => /^\s*(\/\/|#)/.test(text);
  const divide = (lines) => {
    if (lines.length <= Math.max(most, SHORT)) return [lines];
    const depth = Math.min(...lines.filter((it) => !closes(it)).map((it) => it.depth));
    const begins = (it, at) => at === 0 || (it.depth <= depth && !closes(it) && !isNote(lines[at - 1]));
    const found = lines.flatMap((it, at) => (begins(it, at) ? [at] : []))
      .map((from, at, all) => lines.slice(from, all[at + 1]));
    if (found.length > 1) return found.reduce(join, []).flatMap(divide);
    // A signature, and what is in it.
    const body = 1 + lines.findIndex((it) => it.depth === depth && /[{:]$/.test(it.text) && !isNote(it));
    return body > 0 ? [lines.slice(0, body), ...divide(lines.slice(body))] : [lines];
  };
  const join = (found, it) => {
    if (found.at(-1)?.length + it.length <= most) found.at(-1).push(...it);
    else found.push(it);
    return found;
  };
  const all = code.textContent.trimEnd().split("\n")
    .map((text, at) => ({ at, text, depth: text.search(/\S/) })).filter((it) => it.depth >= 0);
  const found = divide(all).map((lines) => lines.map((it) => it.at));
  return found.length > 1 ? found : [];
}

const place = h("p", "pj-place");
const path = h("p", "pj-path");
const stage = h("div", { className: "pj-stage", tabIndex: 0 });
const count = h("p", { className: "pj-count", ariaLive: "polite" });
const dialog = h("dialog", { className: "projector", ariaLabel: "Projector view" },
  h("div", "pj-head", place, path),
  stage,
  h("div", "pj-foot", count,
    button("Back", () => step(-1)), button("Next", () => step(1)),
    button("Leave", leave)));
document.body.append(dialog);

const next = document.querySelector("a[rel~=next]");
const link = h("a", { href: `${next?.href}?projector` }, "The next page");
const end = h("p", "", "The end of this page. ", next ? link : "");
let all = [];
let at = 0;
let now = 0; // which part is lit; at 0 none is, and no answer is shown

function clone(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll(".buttons, .teacher, input, .said").forEach((it) => it.remove());
  return copy;
}

function show(index, part = 0) {
  at = Math.min(Math.max(index, 0), all.length - 1);
  const { heading, caption = "", code, figure, asked, answer, parts } = all[at];
  place.textContent = heading;
  path.textContent = caption;
  stage.className = `pj-stage pj-${code ? "listing" : figure ? "figure" : "text"}`;
  stage.replaceChildren(...(code ? [listing(code, parts)] : figure ? [clone(figure)] : asked?.map(clone) ?? [end]));
  if (answer) stage.append(h("div", "pj-answer", [...answer.children].slice(1).map(clone)));
  if (figure) stage.firstChild.style.minHeight = `${figure.viewBox.baseVal.height * READABLE}px`;
  link.focus();
  mark(part);
}

function listing(code, parts) {
  const language = /language-(\w+)/.exec(code.className)?.[1];
  const rows = code.textContent.trimEnd().split("\n").map((it) => coloured("span", "pj-line", language, it));
  parts.forEach((part) => part.slice(1).forEach((line) => rows[line].classList.add("pj-goes-on")));
  return h("pre", "", h("code", `${code.className} pj-code`, rows));
}

function mark(part) {
  const { parts, answer } = all[at];
  now = Math.min(part, parts.length);
  const lit = parts[now - 1] ?? [];
  stage.classList.toggle("pj-dims", lit.length > 0);
  stage.classList.toggle("pj-asks", now < parts.length);
  const rows = [...stage.querySelectorAll(".pj-line")];
  rows.forEach((it, line) => it.classList.toggle("pj-lit", lit.includes(line)));
  // As large as fits; the rest is in more columns, a screen each.
  let size = LARGEST;
  do stage.style.fontSize = `${size}px`;
  while (stage.scrollWidth > stage.clientWidth && (size -= 1) >= SMALLEST);
  const left = rows[lit[0]]?.offsetLeft ?? 0;
  stage.scrollTo(left - (left % stage.clientWidth), 0);
  count.textContent = `${at + 1} of ${all.length}${
    answer ? (now < parts.length ? " · the answer comes next" : "") : now ? ` · part ${now} of ${parts.length}` : ""}`;
}

function step(by) {
  const { parts, answer, figure } = all[at];
  const { scrollLeft, scrollTop } = stage;
  const end = [...stage.querySelectorAll(".pj-lit")].at(-1)?.offsetLeft; // of a part
  if (answer || parts.length === 0 || (by > 0 && end > scrollLeft + stage.clientWidth)) stage.scrollBy(by * stage.clientWidth, figure ? by * stage.clientHeight * 0.85 : 0);
  if (stage.scrollLeft !== scrollLeft || stage.scrollTop !== scrollTop) return;
  if (parts[now + by - 1] || now + by === 0) mark(now + by);
  else if (all[at + by]) show(at + by, by < 0 ? Infinity : 0);
}

function start() {
  all = screens();
  // Begin with what is in the window.
  const first = all.findIndex((it) => it.from.getBoundingClientRect().bottom > 50);
  dialog.showModal();
  stage.focus();
  show(first);
}

function leave() {
  dialog.close();
  all[at].from.scrollIntoView({ block: "center" });
}

const KEYS = {
  ArrowRight: () => step(1), PageDown: () => step(1), " ": () => step(1),
  ArrowLeft: () => step(-1), PageUp: () => step(-1),
  ArrowDown: () => show(at + 1), ArrowUp: () => show(at - 1),
  Home: () => show(0), End: () => show(all.length - 1),
  Escape: leave, p: leave,
};

// mdBook would turn the page.
addEventListener("keydown", (event) => {
  const { key, target, ctrlKey, altKey, metaKey } = event;
  if (ctrlKey || altKey || metaKey) return;
  let act = key === "p" && !target.matches?.("input:not([type=radio])") && start;
  if (dialog.open) {
    event.stopPropagation();
    act = (key !== " " || !target.matches?.("button")) && KEYS[key];
  }
  if (act) {
    event.preventDefault();
    act();
  }
}, true);

addEventListener("resize", () => dialog.open && show(at, now));

menuButton("bricks-projector-start", "Projector view (P)",
  "M0 0h20v2h-1v9H1V2H0zM3 2v7h14V2zM9 11h2v2l4 3h-2.5l-2.5-1.800L7.500 16H5l4-3z", start)
  ?.setAttribute("aria-keyshortcuts", "p");
if (new URLSearchParams(location.search).has("projector")) addEventListener("load", start);
})();
