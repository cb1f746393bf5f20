// A prediction can be answered in the page: its choices become radio buttons, and below the one that
// is chosen stands what the folded answer says of it. The choice stays, in this browser only, and can
// be changed or forgotten. In print and without JavaScript there are only the list and the answer.
//
// A prediction is a heading or bold text with "Predict", the first list with numbers after it, and
// the next folded answer, whose list has an item for each choice.
(() => {
"use strict";

const main = document.querySelector("#mdbook-content main");
const page = location.pathname.split("/").slice(-2).join("/");

// A browser may keep nothing for a page that is opened from a file: then the choice goes with the page.
function kept(key, ...value) {
  try {
    if (value.length === 0) return localStorage.getItem(key);
    if (value[0] === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value[0]);
  } catch {
    return null;
  }
}

function element(tag, properties, ...inside) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...inside);
  return made;
}

function asks(it) {
  const titles = it.matches("h2, h3, h4") ? [it] : it.matches("p") ? [...it.querySelectorAll("strong")] : [];
  return titles.some((title) => title.textContent.includes("Predict"));
}

function predictions() {
  const found = [];
  let now;
  for (const it of main?.children ?? []) {
    if (asks(it)) now = { asked: it.matches("p") ? [it] : [] };
    else if (it.matches("h1, h2")) now = undefined;
    if (!now) continue;
    if (it.matches("details")) {
      const reasons = it.querySelectorAll(":scope > ol:first-of-type > li");
      if (now.choices?.children.length === reasons.length) found.push({ ...now, answer: it, reasons });
      now = undefined;
    } else if (!now.choices && it.matches("p, ul, ol") && it !== now.asked[0]) {
      now.asked.push(it);
      if (it.matches("ol")) now.choices = it;
    }
  }
  return found;
}

// What the answer says of a choice. It is told in words whether that is right.
function explanation(reason) {
  const copy = reason.cloneNode(true);
  copy.querySelectorAll("[id]").forEach((it) => it.removeAttribute("id"));
  const first = copy.firstElementChild?.matches("p") ? copy.firstElementChild : copy;
  if (!/^\s*Right\./.test(copy.textContent)) first.prepend(element("strong", {}, "Wrong."), " ");
  return copy.childNodes;
}

function enhance({ asked, choices, answer, reasons }, number) {
  const key = `bricks-prediction ${page} ${number}`;
  const forget = element("button", { type: "button", hidden: true, onclick }, "Forget this choice");
  const items = [...choices.children].map((item, at) => {
    const input = element("input", { type: "radio", name: `prediction-${number}` });
    const said = element("div", { className: "said", role: "status" });
    item.append(element("label", {}, input, ...item.childNodes), said);
    input.addEventListener("change", () => choose(at));
    return { input, said };
  });

  function choose(chosen) {
    items.forEach(({ input, said }, at) => {
      input.checked = at === chosen;
      said.replaceChildren(...(at === chosen ? explanation(reasons[at]) : []));
    });
    forget.hidden = chosen === null;
    kept(key, chosen);
  }

  function onclick() {
    choose(null);
    items[0].input.focus();
  }

  const box = element("fieldset", { className: "prediction", answer });
  choices.before(box);
  box.append(element("legend", {}, "Your prediction"), choices, forget);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) event.target.click();
  });
  // The projector shows these before what stands between them and the answer.
  answer.asked = asked;
  const before = kept(key);
  if (items[before ?? ""]) choose(Number(before));
}

predictions().forEach(enhance);
})();
