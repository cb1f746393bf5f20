// An element with its class or its properties, and what is in it.
globalThis.h = (tag, about = "", ...inside) => {
  const properties = typeof about === "string" ? { className: about } : about;
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside.flat());
  return element;
};

// A button of the book's menu bar, if the page has one.
globalThis.menuButton = (id, title, path, onclick) => {
  const bar = document.querySelector("#mdbook-menu-bar .right-buttons");
  const it = h("button", { type: "button", className: "icon-button", id, title, ariaLabel: title, onclick });
  it.innerHTML = `<svg viewBox="0 0 20 16" aria-hidden="true"><path d="${path}"/></svg>`;
  bar?.prepend(it);
  return bar && it;
};

// A listing can be reached with the keyboard, to scroll it. The arrow keys that do so must not
// turn the page, which is what they do everywhere else.
for (const listing of document.querySelectorAll("main pre > code")) {
  listing.tabIndex = 0;
  listing.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
  });
}
