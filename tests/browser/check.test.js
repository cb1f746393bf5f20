// Proves that check.js finds what it looks for: a small book, whose every page but one has a defect.

import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";

const here = fileURLToPath(new URL(".", import.meta.url));
const book = join(here, "../../book");

const sound = "<h1>A page</h1><p>Some words to read.</p><pre><code>some_code();</code></pre>";
const defects = {
  wide: ['<div style="width: 2000px">wide</div>', /pixels wider than a (telephone|projector)/],
  squeezed: ['<div style="width: 20px">a word in each line of this text</div>', /squeezes this/],
  contrast: ["<style>.coal main p { color: #444 }</style>", /coal: color-contrast/],
  picture: ['<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', /light: image-alt/],
  folded: ['<details><summary>More</summary><p style="color: #999">grey words</p></details>', /color-contrast/],
  link: ['<p><a href="nowhere.html">nowhere</a></p>', /links to nowhere.html/],
  anchor: ['<p><a href="sound.html#nothing">nothing</a></p>', /links to sound.html#nothing/],
  script: ['<script>throw new Error("wrong")</script>', /script: Error: wrong/],
  console: ['<script>console.error("wrong")</script>', /console: wrong/],
  network: ['<img alt="a picture" src="https://a.invalid/x.gif">', /asks the network|Failed to load/],
  keys: [
    '<script>addEventListener("keydown", () => (location.href = "sound.html"), true)</script>',
    /arrow key/,
  ],
  hidden: ['<p hidden class="later">later</p>', /without JavaScript, this is not seen/],
};

let folder, output;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "book-"));
  // What mdBook puts around a page, and none of the pages.
  cpSync(book, folder, { recursive: true, filter: (path) => !path.endsWith(".html") });
  const frame = readFileSync(join(book, "index.html"), "utf8");
  const write = (name, main) => {
    const page = frame.replace(/<main>[^]*<\/main>/, () => `<main>${sound}${main}</main>`);
    writeFileSync(join(folder, `${name}.html`), page);
  };
  write("sound", "");
  for (const [name, [main]] of Object.entries(defects)) write(name, main);
  const check = spawnSync("node", [join(here, "check.js"), folder], { encoding: "utf8" });
  output = check.stdout + check.stderr;
  assert.equal(check.status, 1, output);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const found = (name) => output.split("\n").filter((line) => line.startsWith(`${name}.html: `));

test("a page in order has no defect", () => assert.deepEqual(found("sound"), []));

for (const [name, [, expected]] of Object.entries(defects)) {
  test(`${name} is found, and nothing else`, () => {
    assert.ok(found(name).length > 0, output);
    for (const line of found(name)) assert.match(line, expected);
  });
}
