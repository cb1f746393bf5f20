// A listing can be reached with the keyboard, to scroll it. The arrow keys that do so must not
// turn the page, which is what they do everywhere else.
for (const listing of document.querySelectorAll("main pre > code")) {
    listing.tabIndex = 0;
    listing.addEventListener("keydown", (event) => {
        if (event.key.startsWith("Arrow")) {
            event.stopPropagation();
        }
    });
}
