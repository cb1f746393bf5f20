// Opens every page of the built book (`mdbook build`) in headless Chromium, from file://, as a
// reader would: in each theme, on a telephone and on a projector, with what mdBook puts around it
// (menu, sidebar, list of themes, search). It fails on an error in the console, a page that is wider
// than its window, text without contrast or other barriers (axe), a broken link, and on arrow keys
// that turn the page while somebody reads code.
//
// Usage: node check.js [FOLDER OF THE BUILT BOOK]

import { readFileSync, readdirSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const book = resolve(process.argv[2] ?? join(here, "../../book"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const themes = ["light", "rust", "coal", "navy", "ayu"];
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

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
  timeout: 120_000,
});

const context = await browser.newContext({ viewport: windows.projector });
const page = await context.newPage();
let path = "";
page.on("console", (message) => {
  if (message.type() === "error") report(path, `console: ${message.text()}`);
});
page.on("pageerror", (error) => report(path, `script: ${error}`));
page.on("request", (request) => {
  if (!/^(file|data):/.test(request.url())) report(path, `asks the network for ${request.url()}`);
});

// What is too wide makes one of these scroll, or is cut off by it; the document itself never grows.
const boxes = "html, #mdbook-page-wrapper, #mdbook-menu-bar, #mdbook-search-wrapper, #mdbook-content";

async function checkWidth(what) {
  const wider = await page.evaluate((boxes) => {
    const all = [...document.querySelectorAll(boxes)];
    return Math.max(...all.map((it) => it.scrollWidth - it.clientWidth));
  }, boxes);
  if (wider > 0) report(path, `is ${wider} pixels wider than ${what}`);
}

// Nor is anything squeezed, to a letter in each line.
async function checkNothingSqueezed(what) {
  const squeezed = await page.evaluate(() => {
    const hasText = (it) => [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 9);
    const texts = [...document.querySelectorAll("main *")].filter((it) => it.clientHeight > 0 && hasText(it));
    const isNarrow = (it) => it.getBoundingClientRect().width < 30 && it.getBoundingClientRect().height > 100;
    return texts.filter(isNarrow).map((it) => it.textContent.slice(0, 30));
  });
  if (squeezed.length > 0) report(path, `squeezes this on ${what}: ${squeezed[0]}`);
}

async function checkLayout() {
  for (const [name, viewport] of Object.entries(windows)) {
    await page.setViewportSize(viewport);
    await page.reload(); // in a narrow window, the sidebar starts closed
    await checkWidth(`a ${name}`);
    await checkNothingSqueezed(`a ${name}`);
  }
}

// The frame is the same on every page.
async function checkFrame() {
  for (const [name, viewport] of Object.entries(windows)) {
    await page.setViewportSize(viewport);
    const sidebar = page.locator("#mdbook-sidebar-toggle-anchor");
    const wasOpen = await sidebar.isChecked();
    await page.click("#mdbook-sidebar-toggle");
    if ((await sidebar.isChecked()) === wasOpen) report(path, "the sidebar cannot be toggled");
    await checkWidth(`a ${name} with the sidebar ${wasOpen ? "closed" : "open"}`);
    await page.click("#mdbook-sidebar-toggle");
    await openSearch();
    await checkWidth(`a ${name} with the search open`);
  }
}

async function openSearch() {
  // Not with what was searched for last, which is in the address.
  await page.goto(pathToFileURL(path).href);
  await page.click("#mdbook-search-toggle");
  await page.locator("#mdbook-searchbar").pressSequentially("select");
  await page.locator("#mdbook-searchresults li").first().waitFor();
}

async function checkKeys() {
  const address = page.url();
  const code = page.locator("main pre code:visible").first();
  if ((await code.count()) === 0) return;
  await code.click();
  await page.keyboard.press("ArrowRight");
  // The page would be turned at once; a turn of its event loop is long enough.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 50))).catch(() => {});
  if (page.url() !== address) {
    report(path, "an arrow key inside a code block turns the page");
    await page.goto(address);
  }
}

async function checkBarriers(theme) {
  await page.evaluate((theme) => {
    localStorage.setItem("mdbook-theme", theme);
    localStorage.setItem("bricks-notes", "shown");
  }, theme);
  await page.reload();
  // Folded answers are text, too, and so are the notes for the teacher.
  await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
  await page.evaluate(axe);
  await runAxe(theme);
}

// What opens around the page, in the current theme.
async function checkPopups(theme) {
  await page.click("#mdbook-theme-toggle");
  await page.locator("#mdbook-theme-list").waitFor();
  await runAxe(`${theme}, list of themes`);
  await openSearch();
  await page.evaluate(axe);
  await runAxe(`${theme}, search`);
  await page.goto(pathToFileURL(path).href);
}

async function runAxe(when) {
  const result = await page.evaluate(() =>
    axe.run(document, { resultTypes: ["violations"], runOnly: ["color-contrast", "image-alt",
      "svg-img-alt", "heading-order", "link-name", "list", "listitem", "duplicate-id-aria",
      "scrollable-region-focusable"] }),
  );
  for (const violation of result.violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ");
    report(path, `${when}: ${violation.id} (${violation.nodes.length}): ${nodes}`);
  }
}

async function checkLinks() {
  const links = await page.$$eval("main a[href]", (all) => all.map((it) => it.href));
  for (const link of links.filter((it) => it.startsWith("file:"))) {
    const url = new URL(link);
    const file = fileURLToPath(new URL(url.pathname, "file://"));
    if (!existsSync(file)) {
      report(path, `links to ${relative(book, file)}, which is not there`);
    } else if (url.hash && file.endsWith(".html")) {
      const id = decodeURIComponent(url.hash.slice(1)).replace(/@\d+$/, ""); // of a player
      if (!readFileSync(file, "utf8").includes(`id="${id}"`)) {
        report(path, `links to ${relative(book, file)}#${id}, which is not there`);
      }
    }
  }
}

const all = pages(book);
for (path of all) {
  await page.goto(pathToFileURL(path).href);
  await checkLayout();
  await checkKeys();
  await checkLinks();
  for (const theme of themes) {
    await checkBarriers(theme);
    if (path === all[0]) await checkPopups(theme);
  }
  if (path === all[0]) await checkFrame();
}

// And once more as somebody sees it who lets no script run: text, listings and figures are there,
// folded answers open, and a page leads to the next one.
const plain = await browser.newContext({ javaScriptEnabled: false, viewport: windows.telephone });
const still = await plain.newPage();
for (path of all) {
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
