// What the scripts here share: the browser, and what a page may not do.
import { createRequire } from "node:module";

export const require = createRequire(`${process.env.MODULES}/`);
export const { chromium } = require("playwright-core");
export const given = JSON.parse(process.argv[2]);

const SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
const WITHOUT_WEBGL = ["--disable-gpu", "--disable-3d-apis"];

/** Start the browser, with WebGL in software or without it. */
export function launch(webgl = true) {
  const args = ["--no-sandbox", "--disable-dev-shm-usage", ...(webgl ? SOFTWARE : WITHOUT_WEBGL)];
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

/** A page, with what it complains about and asks for. */
export async function opened(browser, path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(120000);
  const errors = [], requests = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => requests.push(request.url().slice(0, 200)));
  await page.goto(`file://${path}`);
  await page.waitForSelector("html[data-ready]", { state: "attached", timeout: 120000 });
  return { page, context, errors, requests };
}

/** Bring the 3-D view into sight and wait for it. */
export async function solid(page) {
  await page.locator("#explorer .solid .stage").scrollIntoViewIfNeeded();
  await page.waitForSelector("#explorer[data-solid]", { timeout: 120000 });
  return page.getAttribute("#explorer", "data-solid");
}
