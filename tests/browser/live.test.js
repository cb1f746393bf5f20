// The live scheduler in headless Chromium, on the page of the built book, from file://.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { axe, launch, newPage, root, themes, watch } from "./browser.js";

const theme = join(root, "chapters/theme");
const live = join(root, "book/04_scheduler/live.html");

let browser;
let page;
let errors;

before(async () => (browser = await launch()));

after(() => browser?.close());

beforeEach(async () => {
  await page?.context().close();
  page = await open();
});

async function open(options = {}) {
  const page = await newPage(browser, { viewport: { width: 1280, height: 720 }, ...options });
  errors = [];
  watch(page, (what) => errors.push(what));
  return page;
}

async function go(hash = "") {
  await page.goto("about:blank");
  await page.goto(pathToFileURL(live).href + hash);
  await page.locator("live-scheduler[data-on]").waitFor();
}

const at = (selector) => page.locator(`.live ${selector}`);
const button = (name) => page.locator(".live").getByRole("button", { name, exact: true });

// Presses it with the mouse, or goes there with the keyboard and presses a key.
let byKeyboard = false;
async function press(it, key = "Enter") {
  if (!byKeyboard) return it.click();
  for (let tabs = 0; tabs < 100; tabs += 1) {
    const way = await it.evaluate((it) => {
      const now = document.activeElement;
      if (now === it) return "";
      return now.compareDocumentPosition(it) & Node.DOCUMENT_POSITION_FOLLOWING ? "Tab" : "Shift+Tab";
    });
    if (way === "") return page.keyboard.press(key);
    await page.keyboard.press(way);
  }
  assert.fail(`the keyboard does not reach ${it}`);
}

async function write(field, text) {
  await press(field, "Control+A");
  await (byKeyboard ? page.keyboard.type(text) : field.fill(text));
}

const tick = (label) => press(page.getByLabel(label), "Space");
const click = (name) => press(button(name).first());
const mission = (title) => page.locator(".live-missions button", { hasText: title }).click();
const message = () => at(".live-message").innerText();
// A screen reader says the group's name: each client has a button "Send".
const client = (number) => page.getByRole("group", { name: `Client ${number}`, exact: true });
const send = (number) => press(client(number).getByRole("button", { name: "Send", exact: true }));
const returns = () => click("select returns");
const hash = () => page.evaluate(() => location.hash);

// How each mission is solved, by its number.
const SOLVED = [
  async () => {
    await click("A client connects");
    await returns();
    await send(1);
    await returns();
    await returns();
  },
  async () => {
    for (const number of [3, 1, 2]) await send(number);
    assert.equal(await button("select returns").isDisabled(), true, "first, it is predicted");
    await press(page.locator(".live-task fieldset button").nth(1));
    assert.match(await message(), /^Right:/);
    await returns();
  },
  async () => {
    await tick("5 can be read");
    await returns();
  },
  async () => {
    await write(client(1).getByRole("textbox"), "abc");
    await send(1);
    await returns();
    await click("Room for");
    await returns();
    for (let piece = 2; piece <= 3; piece += 1) {
      await press(client(1).getByRole("button", { name: "Read what has come" }));
      await returns();
    }
  },
  async () => {
    await write(page.getByLabel("Milliseconds"), "1000");
    await click("pass");
    await click("A client connects");
    await returns();
  },
  async () => {
    await click("No descriptor is left");
    await returns();
    await send(1);
    await returns();
    await returns();
    await click("pass");
    await returns();
  },
  async () => {
    await send(1);
    await click("Ctrl-C");
    await returns();
    await returns();
    await press(client(1).getByRole("button", { name: "Send no more" }));
    await returns();
  },
  async () => {
    await send(2);
    assert.equal(await button("select returns").isDisabled(), true, "it returns by itself");
    for (let more = 0; more < 4 && !/^Done/.test(await message()); more += 1) await send(1);
  },
];

async function solveAll() {
  await go();
  const count = await page.locator(".live-missions button").count();
  assert.equal(count, SOLVED.length + 2, "and two that have no goal");
  for (const [number, solve] of SOLVED.entries()) {
    await press(page.locator(".live-missions button").nth(number));
    assert.doesNotMatch(await message(), /Done/, `${number + 1}`);
    await solve();
    assert.match(await message(), /^Done\. ./, `mission ${number + 1}: ${await at(".live-said").innerText()}`);
  }
  await page.reload();
  await page.locator("live-scheduler[data-on]").waitFor();
  const ticked = await page.locator(".live-missions button", { hasText: "✓" }).count();
  assert.equal(ticked, SOLVED.length);
  assert.deepEqual(errors, []);
}

test("each mission can be solved, and its tick stays", solveAll);

test("each mission can be solved with the keyboard alone, on a telephone", async () => {
  page = await open({ viewport: { width: 390, height: 844 } });
  byKeyboard = true;
  try {
    await solveAll();
  } finally {
    byKeyboard = false;
  }
});

test("no mission is solved by what does not do it", async () => {
  await go();
  for (const number of SOLVED.keys()) {
    await page.locator(".live-missions button").nth(number).click();
    await page.locator(".live-task fieldset button").nth(0).click({ timeout: 500 }).catch(() => {});
    for (let time = 0; time < 6; time += 1) {
      if (await button("A client connects").isEnabled()) await click("A client connects");
      if (await button("select returns").isEnabled()) await returns();
    }
    assert.doesNotMatch(await message(), /Done/, `mission ${number + 1}`);
  }
});

// Each looks like a solution, and is none.
const NOT_SOLVED = {
  "they send in the order of their numbers": "queue:connect,truth,connect,truth,connect,truth,1:send=a,2:send=a,3:send=a,truth",
  "select returns in between": "queue:connect,truth,connect,truth,connect,truth,3:send=a,truth,1:send=a,2:send=a,truth",
  "a send waits, and nobody lies": "lie:connect,truth,1:send=abc,truth,1:room=1,truth",
  "it tries three times, and sends once": "pieces:connect,truth,1:send=a,truth,1:room=0,select=5w,select=5w,1:room=9,truth",
  "it tries three times, and sends twice": "pieces:connect,truth,1:send=abc,truth,1:room=1,truth,select=5w,1:read,1:room=9,truth",
  "nothing is in the kernel when it stops": "stop:connect,truth,1:send=a,truth,truth,stop,truth,1:end,truth",
};

test("a mission is solved by what its goal says, and by nothing like it", async () => {
  for (const [what, scenario] of Object.entries(NOT_SOLVED)) {
    await go(`#live=${scenario}`);
    const prediction = page.locator(".live-task fieldset button").nth(1);
    if (await prediction.count() > 0) await prediction.click();
    assert.doesNotMatch(await message(), /Done|wrong|possible/, what);
  }
  for (const solved of [
    "pieces:connect,truth,1:send=a,truth,truth,1:send=abc,truth,1:room=1,1:read,truth,1:read,truth,1:read,truth",
    "stop:connect,truth,1:send=%C3%A9,stop,truth,truth,1:end,truth",
    "stop:connect,truth,1:send=%FF,stop,truth,truth,1:end,truth",
  ]) {
    await go(`#live=${solved}`);
    assert.match(await message(), /^Done/, solved);
  }
});

test("what select cannot do cannot be chosen, and a wrong number is told", async () => {
  await go("#live=free:second,connect");
  await page.getByLabel("3 can be read").uncheck();
  assert.equal(await button("select returns").isDisabled(), true, "it does not return for nothing");
  await page.getByLabel("4 can be read").check();
  await returns();
  assert.match(await hash(), /,select=4r$/);
  const before = await hash();
  for (const [field, wrong, decide] of [["Milliseconds", ["", "0", "-1", "1.5", "1001"], "pass"],
    ["Room for client 1, in bytes", ["", "-1", "1.5", "100001"], "Room for"]]) {
    for (const number of wrong) {
      await page.getByLabel(field).fill(number);
      await click(decide);
      assert.equal(await hash(), before, `${field}: ${number}`);
    }
  }
  await page.getByLabel("Milliseconds").fill("1000");
  await click("pass");
  assert.equal(await hash(), `${before},time=1000`);
  assert.deepEqual(errors, []);
});

test("a scenario of 2,000 decisions is shown, and has no more", async () => {
  await go(`#live=free:connect,truth,${Array(999).fill("1:send=a,truth").join()}`);
  assert.match(await at(".live-list summary").innerText(), /^2000 decisions/);
  assert.ok(await at(".live-said li").count() <= 60, "a screen reader does not read thousands of steps");
  await send(1);
  assert.match(await message(), /^Not possible: a scenario has at most 2000/);
  await click("Take the last back");
  await click("A client connects");
  assert.match(await hash(), /,connect$/);
  assert.deepEqual(errors, []);
});

test("a link to a heading leaves the scenario as it is", async () => {
  await go("#live=free:connect,truth");
  await page.evaluate(() => { location.hash = "#check-yourself"; });
  await send(1);
  assert.match(await hash(), /^#live=free:connect,truth,1:send/);
});

test("an address is a scenario", async () => {
  await go("#live=free:connect,truth,1:send=hi%0A,truth");
  assert.match(await client(1).innerText(), /descriptor 5/);
  const top = () => page.locator("live-scheduler").evaluate((it) => it.getBoundingClientRect().top);
  assert.ok(await top() < 100, "its reader sees the scenario, and not the top of the page");
  assert.equal(await hash(), "#live=free:connect,truth,1:send=hi%0A,truth");
  await returns();
  assert.match(await client(1).innerText(), /to the client: "hi\\n"/);
  assert.match(await hash(), /,truth,truth$/);
  await page.evaluate(() => { location.hash = "#live=lie:connect,truth,select=5r"; });
  await page.locator(".live-message", { hasText: "Done." }).waitFor();
  for (const [wrong, why] of [["nonsense", "The address is wrong"], ["1:send=a", "Not possible"], ["connect,truth,9:end", "Not possible"]]) {
    await go(`#live=free:${wrong}`);
    assert.match(await message(), new RegExp(`^${why}`));
    await click("A client connects");
    assert.match(await hash(), /,connect$|:connect$/);
  }
  await go("#live=lie:connect,truth,9:end");
  assert.equal(await hash(), "#live=lie:connect,truth", "what is not possible is not kept");
  assert.deepEqual(errors, []);
});

test("a decision is taken back, one or many, and the start of a mission stays", async () => {
  await go();
  await mission("A lie");
  assert.equal(await button("Take the last back").isDisabled(), true);
  await send(1);
  await returns();
  await click("Take the last back");
  assert.match(await client(1).innerText(), /to the server: "hi\\n"/);
  await returns();
  await returns();
  await page.locator(".live-list summary").click();
  await page.locator(".live-list li").nth(2).getByRole("button").click();
  assert.equal(await hash(), "#live=lie:connect,truth,1:send=hi%0A");
  await click("Begin again");
  assert.equal(await hash(), "#live=lie:connect,truth");
});

test("the scheduler's answer is told, and the player shows the whole run", async () => {
  await go("#live=free:connect");
  await returns();
  const said = await at(".live-said").innerText();
  assert.match(said, /select reports: 3 can be read\. The scheduler answers:/);
  assert.match(said, /Task 3, client_handler, is submitted/);
  assert.match(await at(".live-said").getAttribute("role"), /status/);
  const step = await page.locator("#live-run .tp-where a").innerText();
  const [, now, last] = /Step (\d+) of (\d+)/.exec(step);
  assert.equal(now, last, "it is at its end");
  assert.match(await page.locator("#live-run .tp-code").innerText(), /client\.recv\(\)/);
  await page.locator("#live-run").getByRole("button", { name: "Step back" }).click();
  const before = await page.locator("#live-run .tp-where a").innerText();
  assert.ok(Number(/Step (\d+)/.exec(before)[1]) < Number(last), before);
  assert.equal(await page.locator("#live-run a[href]").count(), 0, "the address is the scenario's");
});

test("with the keyboard alone", async () => {
  await go();
  await page.locator(".live-missions button").first().focus();
  const tabTo = async (name) => {
    for (let press = 0; press < 80; press += 1) {
      const now = await page.evaluate(() => document.activeElement.textContent || document.activeElement.ariaLabel);
      if (now === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`${name} is not reached`);
  };
  await tabTo("A client connects");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "A client connects", "the focus stays");
  await tabTo("select returns");
  await page.keyboard.press("Enter");
  const focused = await page.evaluate(() => document.activeElement.className);
  assert.equal(focused, "live-said", "what cannot be pressed now gives the focus to the answer");
  await page.locator(".live-board button").first().focus();
  await tabTo("What client 1 sends");
  await page.keyboard.press("Enter");
  await tabTo("select returns");
  await page.keyboard.press("Enter");
  await page.locator(".live-board button").first().focus();
  await tabTo("select returns");
  await page.keyboard.press("Space");
  assert.match(await message(), /^Done\./);
  // What has the focus is replaced by these: then the goal has it.
  for (const name of ["Begin again", "The next mission", "5. Two tasks, one descriptor", "Practise"]) {
    await button(name).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.className), "live-task", name);
  }
  await page.locator(".live-task fieldset button").first().focus();
  await page.keyboard.press("Enter");
  for (const name of ["Another", "Watch it"]) {
    if (name === "Watch it") await page.locator(".live-task fieldset button").first().press("Enter");
    await button(name).press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.className), "live-task", name);
  }
  await page.locator(".live-list summary").press("Enter");
  await button("Back to here").first().press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Take the last back");
});

test("practice never runs out, and its number is in the address", async () => {
  await go("#live=practise:7");
  const asked = await at(".live-task").innerText();
  assert.match(asked, /Practice 7\./);
  assert.equal(await page.locator(".live-list").isVisible(), false, "nothing has been decided yet");
  await page.locator(".live-task fieldset button").first().click();
  assert.match(await message(), /^(Right|No): /);
  await click("Another");
  assert.equal(await hash(), "#live=practise:8");
  assert.notEqual(await at(".live-task").innerText(), asked);
  await page.locator(".live-task fieldset button").first().click();
  await click("Watch it");
  assert.match(await hash(), /^#live=free:\w/);
  await page.locator("#live-run .tp-where").waitFor();
  await mission("Practise");
  assert.match(await hash(), /^#live=practise:\d+$/);
  // Only what a terminal can ask for, too.
  for (const [wrong, seed] of [["0", 0], ["x", 0], ["1.5", 1], ["4294967297", 1]]) {
    await go(`#live=practise:${wrong}`);
    assert.match(await at(".live-task").innerText(), new RegExp(`^Practice ${seed}\\. .*--seed ${seed}\\)`));
  }
});

test("on a telephone nothing is cut off, and in no theme a defect is found", async () => {
  for (const [number, theme] of themes.entries()) {
    page = await open({ viewport: { width: number % 2 ? 390 : 1280, height: 844 } });
    await page.addInitScript((it) => localStorage.setItem("mdbook-theme", it), theme);
    for (const hash of ["#live=free:connect,connect,truth,1:send=hi%0A,1:room=0,truth", "#live=practise:3", "#live=queue:"]) {
      await go(hash);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${theme}: ${wide} pixels too wide`);
      await page.evaluate(axe);
      const found = await page.evaluate(async () => (await axe.run("live-scheduler")).violations
        .map((it) => `${it.id}: ${it.nodes[0].html}`));
      assert.deepEqual(found, [], `${theme} ${hash}`);
    }
    await page.context().close();
  }
});

test("without JavaScript, the page says what is here", async () => {
  page = await open({ javaScriptEnabled: false });
  await page.goto(pathToFileURL(live).href);
  assert.match(await page.locator("live-scheduler").innerText(), /cargo xtask practise/);
});

test("on paper, the page says what is here", async () => {
  await go();
  const words = page.locator("live-scheduler > p");
  assert.equal(await words.isVisible(), false);
  await page.emulateMedia({ media: "print" });
  assert.equal(await words.isVisible(), true);
  assert.equal(await page.locator(".live").isVisible(), false);
});

test("the program, together with the player, has at most 150 kB", () => {
  const scripts = readdirSync(theme).filter((it) => /^(live-program|trace-\w+)\.js$/.test(it));
  assert.equal(scripts.length, 3);
  const all = scripts.reduce((sum, it) => sum + statSync(join(theme, it)).size, 0);
  assert.ok(all <= 150_000, `${all} bytes`);
});
