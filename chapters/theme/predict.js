// A prediction can be answered in the page: its choices become radio buttons, and what the folded
// answer says of the chosen one unfolds below it. The choice stays, in this browser only, and can be
// forgotten. A prediction is a heading or bold text with "Predict", the first list with numbers after
// it, and the next folded answer, whose own list has an item for each choice.
(() => {
"use strict";

const page = location.pathname.split("/").slice(-2).join("/");

function asks(it) {
  const titles = it.matches("h2, h3, h4") ? [it] : it.matches("p") ? [...it.querySelectorAll("strong")] : [];
  return titles.some((title) => title.textContent.includes("Predict"));
}

function predictions() {
  const found = [];
  let now;
  for (const it of document.querySelectorAll("#mdbook-content main > *")) {
    if (asks(it)) now = { asked: [] };
    else if (it.matches("h1, h2")) now = undefined;
    if (now && it.matches("details")) {
      const reasons = [...it.querySelectorAll(":scope > ol:first-of-type > li")];
      if (now.choices?.children.length === reasons.length) found.push({ ...now, answer: it, reasons });
      now = undefined;
    } else if (now && !now.choices && it.matches("p, ul, ol")) {
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
  const isRight = /^\s*Right\./.test(copy.textContent);
  if (!isRight) (copy.querySelector(":scope > p") ?? copy).prepend(h("strong", "", "Wrong."), " ");
  return copy.childNodes;
}

predictions().forEach(({ asked, choices, answer, reasons }, number) => {
  const key = `bricks-prediction ${page} ${number}`;
  const items = [...choices.children].map((item, at) => {
    const input = h("input", { type: "radio", name: key, onchange: () => choose(at) });
    const said = h("div", { className: "said", role: "status" });
    item.append(h("label", "", input, ...item.childNodes), said);
    return { input, said };
  });
  const forget = button("Forget this choice", () => choose(null));
  const box = h("fieldset", { className: "prediction", answer, onkeydown });
  choices.before(box);
  box.append(h("legend", "", "Your prediction"), choices, forget);
  answer.asked = asked; // for the projector

  function choose(chosen) {
    items.forEach(({ input, said }, at) => {
      input.checked = at === chosen;
      said.replaceChildren(...(at === chosen ? explanation(reasons[at]) : []));
    });
    if (document.activeElement === forget) items[0].input.focus();
    forget.hidden = chosen === null;
    kept(key, chosen);
  }

  function onkeydown({ key, target }) {
    if (key === "Enter" && target.matches("input")) target.click();
  }

  const before = Number(kept(key) ?? -1);
  choose(items[before] ? before : null);
});
})();
