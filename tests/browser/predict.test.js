// Predictions that are answered in the page, in headless Chromium, from file://: on a page made up
// for this, inside the frame of the built book (`mdbook build`), and then on every page of the book.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { axe, book, launch, newPage, themes, watch } from "./browser.js";


const answer = (items) => `<details><summary>The answer</summary><ol>${items}</ol><p>All of it.</p></details>`;
const main = `<h1>A page</h1>
  <h2 id="predict-first">Predict first</h2>
  <p>How many calls?</p>
  <aside class="teacher"><p>Wait for the hands.</p></aside>
  <ol><li>Three.</li><li>At least <code>three</code>.</li><li>None.</li></ol>
  <p>Look:</p><pre><code class="language-console">$ strace</code></pre>
  ${answer('<li><span id="one">That</span> takes threads.</li><li>It asks first.</li><li><strong>Right.</strong> Not one.</li>')}
  <h2 id="more">More</h2>
  <p><strong>Predict first.</strong> And how many bytes?</p>
  <ol><li><p>Two.</p></li><li><p>Four.</p></li></ol>
  ${answer("<li><p><strong>Right.</strong> Both.</p></li><li><p>Two are lost.</p></li>")}
  <p>An end.</p>`;

let folder;
let browser;
let errors = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "predict-"));
  // What mdBook puts around a page, and none of the pages.
  cpSync(book, folder, { recursive: true, filter: (path) => !path.endsWith(".html") });
  const frame = readFileSync(join(book, "index.html"), "utf8");
  writeFileSync(join(folder, "page.html"), frame.replace(/<main>[^]*<\/main>/, () => `<main>${main}</main>`));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options = {}, script = "") {
  const page = await newPage(browser, options);
  if (script) await page.addInitScript(script);
  errors = [];
  watch(page, (what) => errors.push(what));
  await page.goto(pathToFileURL(join(folder, "page.html")).href);
  return page;
}

const choice = (page, name) => page.getByRole("radio", { name, exact: true });
const said = async (page) => (await page.locator(".said").allTextContents()).filter(Boolean);
const forget = (page) => page.getByRole("button", { name: "Forget this choice" });

test("a click chooses, and the explanation of that answer unfolds below it", async () => {
  const page = await open();
  assert.deepEqual(await said(page), [], "nothing is said before");
  assert.equal(await forget(page).count(), 0);
  await page.getByText("At least").click();
  assert.equal(await choice(page, "At least three.").isChecked(), true);
  assert.deepEqual(await said(page), ["Wrong. It asks first."]);
  const place = await page.evaluate(() => {
    const top = (selector) => document.querySelector(selector).getBoundingClientRect().top;
    const items = ".prediction li:nth-child";
    return [top(`${items}(2) input`), top(`${items}(2) .said`), top(`${items}(3) input`)];
  });
  assert.deepEqual(place, place.toSorted((a, b) => a - b));
  assert.equal(await page.locator("details[open]").count(), 0, "the whole answer is still folded away");
  assert.deepEqual(errors, []);
});

test("a choice can be changed, and the right one is told in words", async () => {
  const page = await open();
  await choice(page, "Three.").click();
  await choice(page, "None.").click();
  assert.deepEqual(await said(page), ["Right. Not one."]);
  assert.equal(await page.locator(".prediction input:checked").count(), 1);
  await choice(page, "Four.").click();
  assert.deepEqual(await said(page), ["Right. Not one.", "Wrong. Two are lost."], "two of them on one page");
});

test("a choice stays, and can be forgotten", async () => {
  const page = await open();
  await choice(page, "None.").click();
  await choice(page, "Two.").click();
  await page.reload();
  assert.equal(await choice(page, "None.").isChecked(), true);
  assert.deepEqual(await said(page), ["Right. Not one.", "Right. Both."]);
  await forget(page).first().click();
  assert.deepEqual(await said(page), ["Right. Both."]);
  const focused = await page.evaluate(() => document.activeElement.matches(".prediction input"));
  assert.equal(focused, true, "the focus has somewhere to be");
  await page.reload();
  assert.deepEqual(await said(page), ["Right. Both."]);
  assert.equal(await page.locator(".prediction input:checked").count(), 1);
});

test("it works where the browser keeps nothing", async () => {
  const none = 'Object.defineProperty(window, "localStorage", { get() { throw new Error("no") } })';
  const page = await open({}, none);
  errors = []; // mdBook's own
  await choice(page, "None.").click();
  assert.deepEqual(await said(page), ["Right. Not one."]);
  await forget(page).click();
  assert.deepEqual(await said(page), []);
  assert.deepEqual(errors, []);
});

test("a kept choice that is no choice is none", async () => {
  const page = await open();
  await choice(page, "None.").click();
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage)) if (key.startsWith("bricks-prediction")) localStorage[key] = "7";
  });
  await page.reload();
  assert.deepEqual(await said(page), []);
  assert.deepEqual(errors, []);
});

test("the keyboard reaches a choice and chooses it", async () => {
  const page = await open();
  const address = page.url();
  await choice(page, "Three.").focus();
  assert.deepEqual(await said(page), [], "to be there is not to choose");
  await page.keyboard.press("Enter");
  assert.deepEqual(await said(page), ["Wrong. That takes threads."]);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  assert.deepEqual(await said(page), ["Right. Not one."]);
  await page.keyboard.press("ArrowLeft");
  assert.deepEqual(await said(page), ["Wrong. It asks first."]);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.deepEqual(await said(page), []);
  await page.keyboard.press("Space");
  assert.deepEqual(await said(page), ["Wrong. That takes threads."]);
  await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
  assert.equal(page.url(), address, "no key turns the page");
});

test("a screen reader is told what it is, and what has come", async () => {
  const page = await open();
  const group = page.getByRole("group", { name: "Your prediction" }).first();
  assert.equal(await group.getByRole("radio").count(), 3);
  const region = group.getByRole("status").nth(2);
  assert.equal(await region.textContent(), "", "it is there before there is something to say");
  await choice(page, "None.").click();
  assert.match(await region.textContent(), /^Right/);
  assert.equal(await page.locator("[id=one]").count(), 1, "no id is there twice");
  await choice(page, "Three.").click();
  assert.equal(await page.locator("[id=one]").count(), 1);
});

for (const theme of themes) {
  test(`it can be read in the theme ${theme}, on a telephone`, async () => {
    const page = await open({ viewport: { width: 390, height: 844 } },
      `localStorage.setItem("mdbook-theme", "${theme}")`);
    await choice(page, "At least three.").click();
    await choice(page, "Two.").click();
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wider <= 0, `${wider} pixels wider than the window`);
    const sizes = await page.locator(".prediction label").evaluateAll((all) =>
      all.map((it) => it.getBoundingClientRect().height));
    assert.ok(sizes.every((it) => it >= 24), `a finger hits a choice: ${sizes}`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run("main", { resultTypes: ["violations"] }));
    const found = violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).slice(0, 3)}`);
    assert.deepEqual(found, []);
  });
}

test("in print and without JavaScript there are the list and the answer", async () => {
  const text = async (page) => {
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => document.querySelectorAll("main :is(.teacher, .buttons)").forEach((it) => it.remove()));
    return (await page.locator("main").innerText()).split("\n").map((it) => it.trim()).filter(Boolean);
  };
  const still = await open({ javaScriptEnabled: false });
  assert.equal(await still.locator("main :is(input, button, fieldset)").count(), 0);
  const plain = await text(still);
  const page = await open();
  await choice(page, "None.").click();
  assert.deepEqual(await text(page), plain);
});

test("the projector asks, shows what shows the answer, and then tells it", async () => {
  const page = await open();
  await choice(page, "None.").click();
  await page.keyboard.press("p");
  await page.keyboard.press("Home");
  const stage = page.locator(".pj-stage");
  await page.keyboard.press("ArrowDown");
  assert.match(await stage.innerText(), /How many calls\?[^]*None\.$/);
  assert.doesNotMatch(await stage.textContent(), /Right|Wait for the hands/);
  assert.equal(await stage.locator("input").count(), 0);
  await page.keyboard.press("ArrowDown");
  assert.match(await stage.textContent(), /strace/);
  await page.keyboard.press("ArrowDown");
  assert.match(await stage.innerText(), /How many calls\?[^]*Not one\.[^]*All of it\.$/);
  await page.keyboard.press("ArrowDown");
  assert.match(await stage.innerText(), /how many bytes\?[^]*Four\.$/, "once, if nothing is in between");
  await page.keyboard.press("ArrowRight");
  assert.match(await stage.innerText(), /how many bytes\?[^]*Right\./, "and then its answer");
  await page.keyboard.press("ArrowDown");
  assert.match(await stage.textContent(), /The end of this page/);
  await page.keyboard.press("Escape");
  assert.equal(await choice(page, "None.").isChecked(), true);
  assert.deepEqual(errors, []);
});

test("each prediction of the book can be answered", async () => {
  const paths = readdirSync(book, { recursive: true, withFileTypes: true })
    .filter((it) => it.name.endsWith(".html") && !/^(404|print|toc)\.html$/.test(it.name))
    .map((it) => join(it.parentPath ?? it.path, it.name));
  const page = await open();
  let all = 0;
  for (const path of paths) {
    await page.goto(pathToFileURL(path).href);
    const found = await page.evaluate(() => {
      const titles = [...document.querySelectorAll("main > :is(h2, h3, h4), main > p > strong")];
      const asked = titles.filter((it) => it.textContent.includes("Predict")).length;
      const boxes = [...document.querySelectorAll(".prediction")];
      const right = boxes.map((box) => {
        const said = [...box.querySelectorAll("input")].map((input) => {
          input.click();
          return [...box.querySelectorAll(".said")].map((it) => it.textContent).join("").slice(0, 6);
        });
        return [said.filter((it) => it === "Right.").length, said.filter((it) => it === "Wrong.").length, said.length];
      });
      return { asked, right };
    });
    assert.equal(found.right.length, found.asked, path);
    for (const [right, wrong, choices] of found.right) assert.deepEqual([right, wrong], [1, choices - 1], path);
    all += found.asked;
  }
  assert.ok(all >= 40, `${all} predictions`);
  assert.deepEqual(errors, []);
});
