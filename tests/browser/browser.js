// What the tests in headless Chromium have in common.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../../", import.meta.url));
// As `mdbook build` has made it.
export const book = join(root, "book/");
export const themes = ["light", "rust", "coal", "navy", "ayu"];
// To be evaluated in a page; then the page has `axe.run`.
export const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"];
  return chromium.launch({ executablePath, args, timeout: 120_000 });
}

// A page with a profile of its own.
export async function newPage(browser, options = {}) {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(60_000);
  return page;
}

// Everything that goes wrong in a page from now on is told to `report`.
export function watch(page, report) {
  page.on("pageerror", (error) => report(`script: ${error}`));
  page.on("console", (it) => it.type() === "error" && report(`console: ${it.text()}`));
  page.on("request", (it) => /^(file|data|blob):/.test(it.url()) || report(`asks the network for ${it.url()}`));
}
