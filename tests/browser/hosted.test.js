// The book as a code host serves it: below a folder, with the links that its workflow sets, and with
// a page for wrong addresses. In headless Chromium.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { launch, newPage, root } from "./browser.js";

const folder = "/async-from-bricks/";
const repository = "https://code.invalid/a-class/async-from-bricks";
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

let book, server, origin, browser;

// As in .github/workflows/publish.yml.
const environment = {
  MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL: repository,
  MDBOOK_OUTPUT__HTML__EDIT_URL_TEMPLATE: `${repository}/edit/main/{path}`,
  MDBOOK_OUTPUT__HTML__SITE_URL: folder,
};

before(async () => {
  book = mkdtempSync(join(tmpdir(), "hosted-"));
  const options = { cwd: root, env: { ...process.env, ...environment }, stdio: "pipe" };
  execFileSync("mdbook", ["build", "--dest-dir", book], options);
  server = createServer((request, response) => {
    const file = fileOf(new URL(request.url, "http://localhost").pathname);
    response.writeHead(file ? 200 : 404, { "content-type": types[extname(file ?? "404.html")] ?? "application/octet-stream" });
    response.end(readFileSync(file ?? join(book, "404.html")));
  });
  await new Promise((listens) => server.listen(0, "127.0.0.1", listens));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  rmSync(book, { recursive: true, force: true });
});

// The file that the code host sends for an address, if there is one.
function fileOf(path) {
  if (!path.startsWith(folder)) return undefined;
  const file = join(book, decodeURIComponent(path.slice(folder.length)));
  if (!existsSync(file)) return undefined;
  if (!statSync(file).isDirectory()) return file;
  const index = join(file, "index.html");
  return existsSync(index) ? index : undefined;
}

// A page, and what went wrong while it was loaded, apart from the page itself.
async function open(path) {
  const page = await newPage(browser);
  const defects = [];
  page.on("pageerror", (error) => defects.push(`script: ${error}`));
  page.on("response", (it) => {
    if (it.status() >= 400 && it.url() !== origin + path) defects.push(`${it.status()} ${it.url()}`);
  });
  page.on("request", (it) => {
    if (!it.url().startsWith(origin + folder) && !it.url().startsWith("data:")) defects.push(`asks for ${it.url()}`);
  });
  const response = await page.goto(origin + path, { waitUntil: "load" });
  return { page, defects, status: response.status() };
}

for (const path of ["", "start.html", "04_scheduler/one_round.html", "04_scheduler/live.html", "01_blocking/"]) {
  test(`/${path} has all that it needs`, async () => {
    const { page, defects, status } = await open(folder + path);
    assert.equal(status, 200);
    assert.ok((await page.locator("main h1").textContent()).length > 0);
    await page.locator("#mdbook-sidebar a").first().waitFor({ state: "attached" });
    assert.deepEqual(defects, []);
  });
}

test("the live page opens with the scenario of its address", async () => {
  const { page, defects } = await open(`${folder}04_scheduler/live.html#live=lie:connect,truth,select=5r`);
  await page.locator(".live-message", { hasText: "Done." }).waitFor();
  assert.deepEqual(defects, []);
});

test("a page leads to the next, and the search to any", async () => {
  const { page, defects } = await open(`${folder}01_blocking/index.html`);
  await page.locator("a[rel~=next]:visible").first().click();
  await page.waitForURL(`${origin}${folder}01_blocking/kernel.html`);
  await page.click("#mdbook-search-toggle");
  await page.locator("#mdbook-searchbar").pressSequentially("wake-up");
  const found = page.locator("#mdbook-searchresults a").first();
  await found.waitFor();
  await found.click();
  await page.locator("main h1").first().waitFor();
  assert.ok(page.url().startsWith(origin + folder), page.url());
  assert.deepEqual(defects, []);
});

test("the links to the source are the workflow's", async () => {
  const { page } = await open(`${folder}04_scheduler/one_round.html`);
  const links = await page.$$eval("#mdbook-menu-bar a", (all) => all.map((it) => it.href));
  assert.ok(links.includes(repository), links.join(" "));
  const edit = `${repository}/edit/main/chapters/04_scheduler/one_round.md`;
  assert.ok(links.includes(edit), links.join(" "));
  assert.ok(existsSync(join(root, "chapters/04_scheduler/one_round.md")));
});

for (const path of ["nowhere.html", "04_scheduler/nowhere.html", "a/b/c/"]) {
  test(`the page for the wrong address ${path} looks like the book and leads back`, async () => {
    const { page, defects, status } = await open(folder + path);
    assert.equal(status, 404);
    assert.deepEqual(defects, []);
    await page.locator("#mdbook-sidebar a").first().waitFor({ state: "attached" });
    const links = await page.$$eval("#mdbook-sidebar a[href]", (all) => all.map((it) => it.href));
    assert.ok(links.length > 50, `${links.length} links`);
    const lost = links.filter((it) => !fileOf(new URL(it).pathname));
    assert.deepEqual(lost, []);
    const font = await page.evaluate(() => getComputedStyle(document.querySelector("main")).maxWidth);
    assert.notEqual(font, "none", "the styles are there");
  });
}

// On a reader's own disk, a link may lead out of the book into the repository. Here it cannot.
test("no link leads out of the folder", () => {
  const pages = readdirSync(book, { recursive: true }).filter((it) => it.endsWith(".html"));
  assert.ok(pages.length > 100);
  const lost = pages.filter((it) => !["404.html", "toc.html"].includes(it)).flatMap((path) => {
    const html = readFileSync(join(book, path), "utf8");
    const main = html.slice(html.indexOf("<main>"), html.indexOf("</main>"));
    const text = main.replace(/<script[^]*?<\/script>/g, "");
    const links = [...text.matchAll(/<a [^>]*?href="([^"]+)"/g)].map((it) => it[1]);
    const local = links.filter((it) => !/^(https?:|mailto:|#)/.test(it));
    const at = new URL(folder + path, "http://localhost");
    return local.filter((it) => !fileOf(new URL(it, at).pathname)).map((it) => `${path}: ${it}`);
  });
  assert.deepEqual(lost, []);
});
