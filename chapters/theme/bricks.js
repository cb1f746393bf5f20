// An element with its class or its properties, and what is in it.
globalThis.h = (tag, about = "", ...inside) => {
  const properties = typeof about === "string" ? { className: about } : about;
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside.flat());
  return element;
};

globalThis.button = (label, onclick, title = "") =>
  h("button", { type: "button", onclick, title, ariaLabel: title || null }, label);

// A line of a program, in colours.
globalThis.coloured = (tag, about, language, text) => {
  const it = h(tag, about, text);
  if (window.hljs?.getLanguage(language)) it.innerHTML = hljs.highlight(language, text).value;
  return it;
};

// A button of the book's menu bar, if the page has one.
globalThis.menuButton = (id, title, path, onclick) => {
  const bar = document.querySelector("#mdbook-menu-bar .right-buttons");
  const it = Object.assign(button("", onclick, title), { className: "icon-button", id });
  it.innerHTML = `<svg viewBox="0 0 20 16" aria-hidden="true"><path d="${path}"/></svg>`;
  bar?.prepend(it);
  return bar && it;
};

// A listing is scrolled with the keyboard. The arrow keys must not turn the page meanwhile.
for (const listing of document.querySelectorAll("main pre > code")) {
  listing.tabIndex = 0;
  listing.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
  });
}

// What stays in this browser. It may keep nothing for a page that is opened from a file: then it
// goes with its page.
globalThis.kept = (key, value) => {
  try {
    if (value === null) localStorage.removeItem(key);
    else if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {}
};

// A caption leads to its file: on the code host, or beside a book that is opened from its folder.
const host = document.querySelector("[aria-label='Git repository']")?.href;
const files = host ? `${host}/blob/HEAD/` : location.protocol === "file:" && `${path_to_root}../`;
for (const it of files ? document.querySelectorAll("p:has(+ pre) > em:first-child") : []) {
  const [, path, rest] = /^(\w+\/[\w./]+)(.*)$/s.exec(it.textContent) ?? [];
  if (path) it.replaceChildren(h("a", { href: files + path }, path), rest);
}
