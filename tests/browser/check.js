// Opens every page of the built book (`mdbook build`) in headless Chromium, from file://, as a
// reader would: in each theme, on a telephone and on a projector, with what mdBook puts around it
// (menu, sidebar, list of themes, search). It fails on an error in the console, a page that is wider
// than its window, text without contrast or other barriers (axe), a broken link, and on arrow keys
// that turn the page while somebody reads code.
//
// Usage: node check.js [FOLDER OF THE BUILT BOOK]

import { readFileSync, readdirSync, existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { axe, book as built, launch, newPage, themes, watch } from "./browser.js";

const book = resolve(process.argv[2] ?? built);
// The colours are another theme's each time; nothing else is.
const rules = ["color-contrast", "image-alt", "svg-img-alt", "heading-order", "link-name", "list", "listitem",
  "duplicate-id-aria", "scrollable-region-focusable"];
const windows = { telephone: { width: 360, height: 740 }, projector: { width: 1280, height: 720 } };

// Not pages of the book, but parts of the frame around it.
const notPages = ["404.html", "print.html", "toc.html"];

function pages(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return pages(path);
    return path.endsWith(".html") && !notPages.includes(entry.name) ? [path] : [];
  });
}

const defects = [];
const report = (page, what) => defects.push(`${relative(book, page)}: ${what}`);

const browser = await launch();

// What is too wide makes one of these scroll, or is cut off by it; the document itself never grows.
const boxes = "html, #mdbook-page-wrapper, #mdbook-menu-bar, #mdbook-search-wrapper, #mdbook-content";

// A window that goes from page to page.
class Reader {
  static async enter() {
    const reader = new Reader();
    reader.page = await newPage(browser, { viewport: windows.projector });
    // The notes for the teacher are text, too.
    await reader.page.addInitScript(() => localStorage.setItem("bricks-notes", "shown"));
    watch(reader.page, (what) => reader.report(what));
    return reader;
  }

  report(what) {
    report(this.path, what);
  }

  open() {
    return this.page.goto(pathToFileURL(this.path).href);
  }

  async read(path, isFirst) {
    this.path = path;
    await this.checkLayout();
    await this.checkKeys();
    await this.checkLinks();
    await this.checkThemes(isFirst);
    if (isFirst) await this.checkFrame();
  }

  async checkWidth(what) {
    const wider = await this.page.evaluate((boxes) => {
      const all = [...document.querySelectorAll(boxes)];
      return Math.max(...all.map((it) => it.scrollWidth - it.clientWidth));
    }, boxes);
    if (wider > 0) this.report(`is ${wider} pixels wider than ${what}`);
  }

  // Nor is anything squeezed, to a letter in each line.
  async checkNothingSqueezed(what) {
    const squeezed = await this.page.evaluate(() => {
      const hasText = (it) => [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 9);
      const texts = [...document.querySelectorAll("main *")].filter((it) => it.clientHeight > 0 && hasText(it));
      const isNarrow = (it) => it.getBoundingClientRect().width < 30 && it.getBoundingClientRect().height > 100;
      return texts.filter(isNarrow).map((it) => it.textContent.slice(0, 30));
    });
    if (squeezed.length > 0) this.report(`squeezes this on ${what}: ${squeezed[0]}`);
  }

  async checkLayout() {
    for (const [name, viewport] of Object.entries(windows)) {
      await this.page.setViewportSize(viewport);
      await this.open(); // in a narrow window, the sidebar starts closed
      await this.checkWidth(`a ${name}`);
      await this.checkNothingSqueezed(`a ${name}`);
    }
  }

  // The frame is the same on every page.
  async checkFrame() {
    for (const [name, viewport] of Object.entries(windows)) {
      await this.page.setViewportSize(viewport);
      const sidebar = this.page.locator("#mdbook-sidebar-toggle-anchor");
      const wasOpen = await sidebar.isChecked();
      await this.page.click("#mdbook-sidebar-toggle");
      if ((await sidebar.isChecked()) === wasOpen) this.report("the sidebar cannot be toggled");
      await this.checkWidth(`a ${name} with the sidebar ${wasOpen ? "closed" : "open"}`);
      await this.page.click("#mdbook-sidebar-toggle");
      await this.openSearch();
      await this.checkWidth(`a ${name} with the search open`);
    }
  }

  async openSearch() {
    await this.open(); // not with what was searched for last, which is in the address
    await this.page.click("#mdbook-search-toggle");
    await this.page.locator("#mdbook-searchbar").pressSequentially("select");
    await this.page.locator("#mdbook-searchresults li").first().waitFor();
  }

  async checkKeys() {
    const code = this.page.locator("main pre code:visible").first();
    if ((await code.count()) === 0) return;
    await code.click();
    await this.page.evaluate(() => {
      const turn = (event) => {
        event.preventDefault();
        window.isTurned = true;
      };
      navigation.addEventListener("navigate", turn, { once: true });
      window.stopListening = () => navigation.removeEventListener("navigate", turn);
    });
    await this.page.keyboard.press("ArrowRight");
    const isTurned = await this.page.evaluate(() => {
      window.stopListening();
      return window.isTurned;
    });
    if (isTurned) this.report("an arrow key inside a code block turns the page");
  }

  async checkThemes(isFirst) {
    await this.prepareForAxe();
    for (const theme of themes) {
      await this.choose(theme);
      await this.runAxe(theme, theme === themes[0] ? rules : ["color-contrast"]);
      if (isFirst) await this.checkPopups(theme);
    }
  }

  // As a reader does, who finds the page in the new colours at once.
  async choose(theme) {
    const chosen = await this.page.evaluate(async (theme) => {
      document.getElementById(`mdbook-theme-${theme}`).click();
      document.getAnimations().forEach((it) => it.finish()); // it does not wait for the fading
      return document.documentElement.classList.contains(theme);
    }, theme);
    if (!chosen) this.report(`the theme ${theme} cannot be chosen`);
  }

  // What opens around the page, in the theme that was chosen before it was loaded.
  async checkPopups(theme) {
    await this.open();
    await this.prepareForAxe();
    await this.page.click("#mdbook-theme-toggle");
    await this.page.locator("#mdbook-theme-list").waitFor();
    await this.runAxe(`${theme}, list of themes`);
    await this.openSearch();
    await this.prepareForAxe();
    await this.runAxe(`${theme}, search`);
    await this.open();
    await this.prepareForAxe();
  }

  // Folded answers are text, too.
  async prepareForAxe() {
    await this.page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
    await this.page.evaluate(axe);
  }

  async runAxe(when, runOnly = rules) {
    const violations = await this.page.evaluate(async (runOnly) => {
      const { violations } = await axe.run(document, { resultTypes: ["violations"], runOnly });
      return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((it) => it.target.join(" ")) }));
    }, runOnly);
    for (const { id, nodes } of violations) {
      this.report(`${when}: ${id} (${nodes.length}): ${nodes.slice(0, 3).join(", ")}`);
    }
  }

  async checkLinks() {
    const links = await this.page.$$eval("main a[href]", (all) => all.map((it) => it.href));
    for (const link of links.filter((it) => it.startsWith("file:"))) {
      const url = new URL(link);
      const file = fileURLToPath(new URL(url.pathname, "file://"));
      if (!existsSync(file)) {
        this.report(`links to ${relative(book, file)}, which is not there`);
      } else if (url.hash && file.endsWith(".html")) {
        const id = decodeURIComponent(url.hash.slice(1)).replace(/@\d+$/, ""); // of a player
        if (!readFileSync(file, "utf8").includes(`id="${id}"`)) {
          this.report(`links to ${relative(book, file)}#${id}, which is not there`);
        }
      }
    }
  }
}

const all = pages(book);
const left = all.entries();
async function readOn() {
  const reader = await Reader.enter();
  for (const [number, path] of left) await reader.read(path, number === 0);
}
await Promise.all(Array.from({ length: availableParallelism() }, readOn));

// And once more as somebody sees it who lets no script run: text, listings and figures are there,
// folded answers open, and a page leads to the next one.
const still = await newPage(browser, { javaScriptEnabled: false, viewport: windows.telephone });
for (const path of all) {
  await still.goto(pathToFileURL(path).href);
  const missing = await still.evaluate(() => {
    document.querySelectorAll("details").forEach((it) => (it.open = true));
    const isSeen = (it) => it.getClientRects().length > 0 || it.closest("aside.teacher");
    const all = [...document.querySelectorAll("main :is(h1, h2, p, pre, table, svg)")];
    return all.filter((it) => !isSeen(it)).map((it) => `${it.localName} ${it.textContent.slice(0, 30)}`);
  });
  if (missing.length > 0) report(path, `without JavaScript, this is not seen: ${missing[0]}`);
  const next = still.locator("a[rel~=next]:visible, a[rel~=prev]:visible");
  if ((await next.count()) === 0) report(path, "without JavaScript, no way leads on from here");
}
await browser.close();
console.log([...new Set(defects)].join("\n"));
console.log(`${all.length} pages, ${defects.length} defects`);
process.exit(all.length > 0 && defects.length === 0 ? 0 : 1);
