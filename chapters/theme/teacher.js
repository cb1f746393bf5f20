// A button in the menu bar shows or hides the notes for the teacher, in the whole book. Without
// JavaScript they are shown.
(() => {
"use strict";

if (!document.querySelector("main .teacher")) return;

const KEY = "bricks-notes";
const button = menuButton("bricks-notes-toggle", "Notes for the teacher",
  "M10 1 0 5.5 10 10l8-3.6V12h2V5.5zM4 9v3.5c3 2.7 9 2.7 12 0V9l-6 2.7z", () => {
    show(!isShown);
    kept(KEY, isShown ? "shown" : "hidden");
  });
if (!button) return;
let isShown;

function show(shown) {
  document.documentElement.classList.toggle("with-notes", shown);
  button.ariaPressed = `${shown}`;
  isShown = shown;
}
show(kept(KEY) === "shown");
})();
