// Visits the page of the comparison, and prints what it saw as JSON; test_browser.py judges it.
import { readFileSync } from "node:fs";
import { given, launch, require } from "../atlas/browser/common.mjs";

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const browser = await launch();
const seen = {};

for (const [name, options] of Object.entries({
  light: { viewport: { width: 1400, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 390, height: 800 } },
})) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [], requests = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => requests.push(request.url().slice(0, 200)));
  await page.goto(`file://${given.page}`);
  const found = await page.evaluate(() => ({
    background: getComputedStyle(document.body).backgroundColor,
    width: [document.documentElement.scrollWidth, innerWidth],
    drawings: [...document.querySelectorAll(".panels svg")].map((one) => one.getBoundingClientRect().height),
    colours: [...new Set([...document.querySelectorAll(".panels svg use")].map((one) => getComputedStyle(one).stroke))],
  }));
  const [file] = await Promise.all([page.waitForEvent("download"), page.click('a[download="accuracy.csv"]')]);
  found.file = readFileSync(await file.path(), "utf8");
  await page.evaluate(AXE);
  found.axe = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0].html.slice(0, 160)}`);
  });
  seen[name] = { ...found, errors, requests };
  await context.close();
}
await browser.close();
process.stdout.write(JSON.stringify(seen));
