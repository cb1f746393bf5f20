// The notes for the teacher are hidden until somebody asks for them: a button in the menu bar of
// each page that has some shows or hides them in the whole book, and the browser remembers it.
// Without JavaScript there is no button, and they are shown.
(() => {
"use strict";

const KEY = "bricks-notes";
const notes = document.querySelectorAll("main .teacher");
const bar = document.querySelector("#mdbook-menu-bar .right-buttons");
if (notes.length === 0 || !bar) return;

// A browser may keep nothing for a page that is opened from a file.
function remembered() {
  try {
    return localStorage.getItem(KEY) === "shown";
  } catch {
    return false;
  }
}

function remember(shown) {
  try {
    localStorage.setItem(KEY, shown ? "shown" : "hidden");
  } catch {
    // Then it is as it was on the next page.
  }
}

const button = document.createElement("button");
button.type = "button";
button.className = "icon-button";
button.id = "bricks-notes-toggle";
button.innerHTML = `<svg viewBox="0 0 20 16" aria-hidden="true">
  <path d="M10 1 0 5.5 10 10l8-3.6V12h2V5.5z"/><path d="M4 9v3.5c3 2.7 9 2.7 12 0V9l-6 2.7z"/></svg>`;
button.title = button.ariaLabel = "Notes for the teacher";

function show(shown) {
  document.documentElement.classList.toggle("with-notes", shown);
  button.setAttribute("aria-pressed", `${shown}`);
}

button.addEventListener("click", () => {
  const shown = button.getAttribute("aria-pressed") !== "true";
  show(shown);
  remember(shown);
});
show(remembered());
bar.prepend(button);
})();
