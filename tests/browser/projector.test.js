// The projector view in headless Chromium, on the pages of the built book (`mdbook build`), from
// file://, in a window of 1280 × 720.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { axe, book, launch, newPage, themes, watch } from "./browser.js";

const blocking = join(book, "01_blocking/index.html");
const viewport = { width: 1280, height: 720 };

const pages = readdirSync(book, { recursive: true, withFileTypes: true })
  .filter((it) => it.name.endsWith(".html") && !/^(404|print|toc)\.html$/.test(it.name))
  .map((it) => join(it.parentPath ?? it.path, it.name));
// A page of a chapter that shows this.
const pageWith = (chapter, code) => pages.find((path) =>
  path.includes(`/${chapter}/`) && readFileSync(path, "utf8").includes(code));

let browser;
let page;
let errors = [];

before(async () => {
  browser = await launch();
  page = await newPage(browser, { viewport });
  watch(page, (what) => errors.push(what));
});

after(() => browser?.close());

async function goto(path, query = "") {
  errors = [];
  await page.goto(pathToFileURL(path).href + query, { waitUntil: "load" });
}

const press = async (...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};
const isOpen = () => page.locator(".projector").evaluate((it) => it.open);
const count = () => page.locator(".pj-count").textContent();
const lit = () => page.locator(".pj-lit").allTextContents();

test("a key starts it, and another leaves", async () => {
  await goto(blocking);
  assert.equal(await isOpen(), false);
  await press("p");
  assert.equal(await isOpen(), true);
  assert.match(await page.locator(".pj-stage h1").textContent(), /One client at a time/);
  await press("Escape");
  assert.equal(await isOpen(), false);
  assert.deepEqual(errors, []);
});

test("so do a button, and the address", async () => {
  await page.click("#bricks-projector-start");
  assert.equal(await isOpen(), true);
  await page.click(".projector >> text=Leave");
  assert.equal(await isOpen(), false);
  await goto(blocking, "?projector");
  await page.waitForFunction(() => document.querySelector(".projector").open);
});

test("who types is left alone, and so is who zooms", async () => {
  await goto(blocking);
  await page.click("#mdbook-search-toggle");
  await page.locator("#mdbook-searchbar").pressSequentially("poll");
  assert.equal(await isOpen(), false);
  await goto(blocking);
  await press("Control+p");
  assert.equal(await isOpen(), false);
});

/** Goes down to the listing that has this in it. */
const downTo = async (pattern) => {
  await press("p", "Home");
  const shown = () => page.locator(".pj-stage").textContent();
  for (let screens = 0; !pattern.test(await shown()); screens += 1) {
    assert.ok(screens < 30, "there is no such listing");
    await press("ArrowDown");
  }
};

test("a listing is stepped through, part by part", async () => {
  await goto(pageWith("03_select", "fn run(&amp;mut self"));
  await downTo(/fn run\(&mut self/);
  assert.equal(await page.locator(".pj-path").textContent(), "src/bin/03_select.rs");
  const total = await page.locator(".pj-line").count();
  assert.deepEqual(await lit(), [], "first as a whole");
  const seen = [];
  for (;;) {
    await press("ArrowRight");
    if (!/part/.test(await count())) break;
    seen.push(await lit());
  }
  assert.ok(seen.length >= 3, `${seen.length} parts`);
  assert.ok(seen.every((part) => part.length > 0 && part.length < total));
  assert.match(seen[0][0], /fn run/);
  assert.equal(seen.flat().length, total, "each line is in one part");
  // And the same way back, which ends where it began.
  await press("ArrowLeft");
  assert.deepEqual(await lit(), seen.at(-1));
  await press("PageUp", "PageUp");
  assert.deepEqual(await lit(), seen.at(-3));
  await press("PageDown", "Space");
  assert.deepEqual(await lit(), seen.at(-1));
});

test("a function below a long comment is divided, too", async () => {
  await goto(pageWith("01_blocking", "pub fn listen("));
  await downTo(/pub fn listen\(/);
  const seen = [];
  for (await press("ArrowRight"); /part/.test(await count()); await press("ArrowRight")) seen.push(await lit());
  assert.ok(seen.length >= 5, `${seen.length} parts`);
  const signature = seen.find((part) => part.some((line) => line.startsWith("pub fn listen(")));
  assert.match(signature[0], /^\/\/\/ Makes a blocking socket/);
  assert.ok(signature.every((line) => !line.startsWith("    ")), "what is in it comes later");
});

test("what is folded stays away until it is unfolded", async () => {
  await goto(blocking);
  const screens = async () => {
    await press("p");
    const [, all] = /of (\d+)/.exec(await count());
    await press("Escape");
    return Number(all);
  };
  const before = await screens();
  await page.locator("summary", { hasText: "The top of the file" }).click();
  assert.equal(await screens(), before + 1);
});

test("no key turns the page, at no end of it", async () => {
  await goto(blocking);
  const address = page.url();
  await press("p", "Home", "ArrowLeft", "ArrowLeft", "ArrowUp", "s", "?", "End");
  assert.match(await page.locator(".pj-stage").textContent(), /The end of this page/);
  await press("ArrowRight", "ArrowDown", "PageDown", "Space");
  await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
  assert.equal(page.url(), address);
  assert.equal(await isOpen(), true);
  // Enter does, because the link to the next page has the focus.
  await press("End", "Enter");
  await page.waitForURL((url) => url.search === "?projector");
  await page.waitForFunction(() => document.querySelector(".projector").open);
  assert.deepEqual(errors, []);
});

test("a figure is shown, and stays on its page", async () => {
  await goto(blocking);
  const figures = () => page.locator("main .figure svg").count();
  const all = await figures();
  await press("p");
  while ((await page.locator(".pj-figure").count()) === 0) await press("ArrowDown");
  assert.equal(await page.locator(".pj-stage svg").isVisible(), true);
  await press("Escape");
  assert.equal(await figures(), all);
});

test("a listing that is too long is scrolled to the part that is spoken of", async () => {
  await page.setViewportSize({ width: 1280, height: 400 });
  await goto(blocking);
  await press("p", "Home", "ArrowDown", "ArrowDown", "ArrowDown");
  while (!/part/.test(await count())) await press("ArrowRight");
  const [, last] = /of (\d+)$/.exec(await count());
  for (let at = 1; at < Number(last); at += 1) await press("ArrowRight");
  const [stage, part] = await page.evaluate(() =>
    [".pj-stage", ".pj-lit"].map((it) => document.querySelector(it).getBoundingClientRect().toJSON()));
  for (const [a, b] of [["top", "bottom"], ["left", "right"]]) {
    assert.ok(part[a] >= stage[a] - 1 && part[b] <= stage[b] + 1, `${part[a]} to ${part[b]} in ${stage[a]}`);
  }
  await page.setViewportSize(viewport);
});

test("every screen fits, every part is whole, and a page with listings takes 25 presses at most", async () => {
  assert.ok(pages.length > 0);
  for (const path of pages) {
    await goto(path);
    await press("p", "Home");
    // All keys at once: a real keyboard takes minutes for this.
    const [found, presses, listings] = await page.evaluate(() => {
      const stage = document.querySelector(".pj-stage");
      const text = () => document.querySelector(".pj-count").textContent;
      const found = [];
      let listings = 0;
      for (let presses = 0, before = ""; presses < 200; presses += 1) {
        const dialog = document.querySelector(".projector").getBoundingClientRect();
        const size = parseFloat(getComputedStyle(stage).fontSize);
        if (dialog.width !== innerWidth || dialog.height !== innerHeight) found.push(`${text()}: cut off`);
        if (size < 18) found.push(`${text()}: its type has ${size} pixels`);
        const lines = stage.querySelectorAll(".pj-line").length;
        const hidden = stage.scrollWidth - stage.clientWidth;
        if (lines > 0) listings += 1;
        if (lines > 0 && lines <= 20 && hidden > 0) found.push(`${text()}: ${lines} lines do not fit`);
        if (stage.textContent.trim() === "") found.push(`${text()}: empty`);
        // A line is in sight as a whole, or not at all.
        const box = stage.getBoundingClientRect();
        const all = document.createRange();
        all.selectNodeContents(stage);
        for (const it of stage.matches(".pj-figure") ? [] : all.getClientRects()) {
          const isBeside = it.right <= box.left + 1 || it.left >= box.right - 1;
          const isInside = it.top >= box.top - 1 && it.bottom <= box.bottom + 1
            && it.left >= box.left - 1 && it.right <= box.right + 1;
          if (it.height > 0 && it.height < 60 && !isBeside && !isInside) found.push(`${text()}: a line is cut`);
        }
        const lit = stage.querySelectorAll(".pj-lit");
        if (lit.length > 0 && ![...lit].some((it) => Math.abs(it.getBoundingClientRect().left - box.left) < 60)) {
          found.push(`${text()}: no lit line is in sight`);
        }
        // A statement, a match arm or a signature is not cut: no part ends in the middle of brackets that
        // it has opened, unless they are those of a block.
        let depth = 0;
        for (const { textContent } of lit) {
          for (const sign of textContent.replace(/'.'|"[^"]*"|\/\/.*/g, "")) {
            depth += { "(": 1, "[": 1, ")": -1, "]": -1 }[sign] ?? 0;
          }
        }
        const isHead = /\{$/.test([...lit].at(-1)?.textContent ?? "");
        if (depth > 0 && !isHead) found.push(`${text()}: a part is cut`);
        const now = `${text()} ${stage.scrollTop} ${stage.scrollLeft}`;
        if (now === before) return [found, presses - 1, listings];
        before = now;
        stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
      }
      return [[...found, "never comes to its end"]];
    });
    assert.deepEqual([...new Set(found)], [], path);
    assert.ok(listings === 0 || presses <= 25, `${path}: ${presses} presses`);
    assert.match(await page.locator(".pj-stage").textContent(), /The end of this page/, path);
    assert.deepEqual(errors, [], path);
  }
});

for (const theme of themes) {
  test(`it can be read in the theme ${theme}`, async () => {
    await goto(blocking);
    await page.evaluate((theme) => localStorage.setItem("mdbook-theme", theme), theme);
    await page.reload();
    await press("p");
    await page.evaluate(axe);
    const screens = [[], ["ArrowDown"], ["ArrowDown", "ArrowRight"], ["ArrowDown", "ArrowRight"], ["End"]];
    for (const keys of screens) {
      await press(...keys);
      const { violations } = await page.evaluate(() =>
        axe.run(".projector", { resultTypes: ["violations"] }));
      const said = violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).slice(0, 3)}`);
      assert.deepEqual(said, [], await count());
    }
  });
}
