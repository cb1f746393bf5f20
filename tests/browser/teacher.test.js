// What is for teachers in headless Chromium, on the pages of the built book (`mdbook build`), from
// file://: notes that are hidden until they are asked for, and a page that is one sheet of paper.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { book, launch, newPage } from "./browser.js";

const url = (path) => pathToFileURL(join(book, path)).href;
const blocking = url("01_blocking/index.html");
const note = "main .teacher";

let browser;

before(async () => (browser = await launch()));

after(() => browser?.close());

async function open(address, options = {}) {
  const page = await newPage(browser, options);
  await page.goto(address);
  return page;
}

test("notes are hidden until somebody asks for them, and that is remembered", async () => {
  const page = await open(blocking);
  const isShown = () => page.locator(note).first().isVisible();
  const button = page.locator("#bricks-notes-toggle");
  assert.equal(await isShown(), false);
  assert.equal(await button.getAttribute("aria-pressed"), "false");
  await button.click();
  assert.equal(await isShown(), true);
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  await page.goto(url("02_threads/index.html"));
  assert.equal(await isShown(), true, "on the next page");
  await button.click();
  await page.reload();
  assert.equal(await isShown(), false);
});

test("a page without notes has no button for them", async () => {
  const page = await open(url("appendix/glossary.html"));
  assert.equal(await page.locator("#bricks-projector-start").count(), 1);
  assert.equal(await page.locator("#bricks-notes-toggle").count(), 0);
});

test("without JavaScript they are there", async () => {
  const page = await open(blocking, { javaScriptEnabled: false });
  assert.equal(await page.locator(note).first().isVisible(), true);
});

test("the projector never shows them", async () => {
  const page = await open(blocking);
  await page.click("#bricks-notes-toggle");
  const said = await page.locator(note).allTextContents();
  await page.keyboard.press("p");
  for (let at = 0, before = ""; at < 200; at += 1) {
    const shown = await page.locator(".pj-stage").textContent();
    assert.ok(said.every((it) => !shown.includes(it.trim())), shown);
    const count = await page.locator(".pj-count").textContent();
    if (count === before) break;
    before = count;
    await page.keyboard.press("ArrowRight");
  }
});

test("they are on paper only if they are shown", async () => {
  const page = await open(blocking);
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator(note).first().isVisible(), false);
});

for (const format of ["A4", "Letter"]) {
  test(`the page to hand out is one sheet of ${format}`, async () => {
    const page = await open(url("teachers/handout.html"));
    const pdf = (await page.pdf({ format, margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } }));
    const sheets = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g).length;
    assert.equal(sheets, 1);
  });
}

test("a caption leads to its file, where there is one to lead to", async () => {
  const page = await open(blocking);
  const caption = page.locator("main p > em > a", { hasText: "src/bin/01_blocking.rs" }).first();
  const file = new URL(await caption.getAttribute("href"), page.url());
  assert.equal(file.href, new URL("../src/bin/01_blocking.rs", url("")).href);
  assert.ok(existsSync(file));
});
