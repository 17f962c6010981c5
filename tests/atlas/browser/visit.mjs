// Visits a page as a reader does, and prints what it saw as JSON; tests/atlas/test_browser.py judges it.
import { readFileSync } from "node:fs";
import { given, launch, opened, require, solid } from "./common.mjs";

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const said = (page) => page.textContent("#said");
const tip = (page) => page.$eval("#tip", (box) => (box.hidden ? "" : box.textContent));
const shownTwin = (page) => page.$$eval("#explorer svg.twin:not([hidden])", (all) => all.map((one) => ({ ...one.dataset })));

/** Choose in the first visible select of a name inside a place. */
async function choose(page, place, name, value) {
  await page.selectOption(`${place} select[data-choice="${name}"]`, JSON.stringify(value));
}

/** Texts at points of the flat map, hovered over with the mouse. */
async function hovered(page, points) {
  const found = [];
  await page.locator("#explorer .flat .stage").scrollIntoViewIfNeeded();
  for (const [x, y] of points) {
    const place = await page.$eval("#explorer svg.twin:not([hidden])", (drawing, [px, py]) => {
      const { x: left, y: top } = new DOMPoint(px, py).matrixTransform(drawing.getScreenCTM());
      return [left, top];
    }, [x, y]);
    await page.mouse.move(...place);
    found.push(await tip(page));
  }
  await page.mouse.move(2, 2);
  return found;
}

async function axe(page) {
  // The page's policy refuses scripts that it does not know: axe comes in by the debugger.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 5).map((node) => node.html.slice(0, 160)) }));
  });
}

const seen = {};
const browser = await launch();

// With WebGL, light
{
  const { page, errors, requests, context } = await opened(browser, given.page);
  seen.views = await page.$$eval(".view", (views) => views.map((view) => ({
    figure: view.dataset.figure, view: view.dataset.view,
    marks: view.querySelectorAll("svg.chart .curve, svg.chart .bar, svg.chart .mark, svg.chart .cell").length,
    nan: /NaN/.test(view.querySelector("svg.chart")?.outerHTML ?? "NaN"),
    label: view.querySelector(".stage").getAttribute("aria-label"),
    legend: view.querySelector(".legend").textContent,
  })));
  seen.firstTwin = await shownTwin(page);
  seen.missing = await page.$$eval("#explorer svg.twin:not([hidden]) .missing", (all) => all.length);
  seen.hovered = await hovered(page, given.points);

  // Choices change the map and all views that share them.
  const before = await page.$eval('.view[data-figure="figure5"] svg.chart', (one) => one.outerHTML);
  await choose(page, "#explorer", "task", given.task);
  await choose(page, "#explorer", "quantity", "dev_error");
  seen.chosenTwin = await shownTwin(page);
  seen.saidOfChoice = await said(page);
  seen.chartChanged = before !== await page.$eval('.view[data-figure="figure5"] svg.chart', (one) => one.outerHTML);
  seen.linked = await page.$eval('.view[data-figure="figure5"] select[data-choice="task"]', (one) => JSON.parse(one.value));
  await choose(page, '.view[data-figure="figure5"]', "task", given.firstTask);
  await choose(page, "#explorer", "group", "low");
  seen.groupTwin = await shownTwin(page);
  await choose(page, "#explorer", "group", "whole encoder");
  await choose(page, "#explorer", "quantity", "train_loss");
  await choose(page, "#explorer", "start", "scratch");
  seen.scratchTwin = await shownTwin(page);
  await choose(page, "#explorer", "start", "pretrained");
  await choose(page, '.view[data-figure="probing1"]', "layer", 1);
  seen.layerLinked = await page.$$eval('.view select[data-choice="layer"]', (all) => all.map((one) => one.value));

  // Keys read the map and the charts.
  await page.focus("#explorer .flat .stage");
  for (const key of ["ArrowRight", "ArrowRight", "ArrowUp"]) await page.keyboard.press(key);
  seen.keyed = await said(page);
  await page.focus('.view[data-figure="figure5"] .stage');
  for (const key of ["ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  seen.keyedChart = await said(page);
  await page.keyboard.press("Escape");
  seen.tipAfterEscape = await tip(page);
  await page.focus('#explorer select[data-choice="task"]');
  await page.keyboard.press("ArrowDown");
  seen.saidOfKey = await said(page);
  await page.keyboard.press("ArrowUp");

  // 3-D
  const asked = Date.now();
  seen.solid = await solid(page);
  seen.solidSeconds = (Date.now() - asked) / 1000;
  const stage = page.locator("#explorer .solid .stage");
  await page.waitForTimeout(300);
  seen.solidPicture = (await stage.screenshot()).toString("base64");
  const box = await stage.boundingBox();
  seen.solidHovered = [];
  for (const [across, down] of [[0.4, 0.5], [0.6, 0.5], [0.45, 0.4], [0.35, 0.45], [0.65, 0.45], [0.5, 0.4], [0.55, 0.6], [0.6, 0.55]]) {
    if (seen.solidHovered.filter((text) => text.startsWith("α")).length === 2) break;
    const [x, y] = [box.x + across * box.width, box.y + down * box.height];
    await page.mouse.move(x, y);
    await page.mouse.move(x + 1, y);
    // Plotly looks for the point in its next frame, which a busy machine draws late.
    await page.waitForSelector("#explorer .solid .hovertext", { state: "attached", timeout: 4000 }).catch(() => null);
    seen.solidHovered.push(await page.evaluate(() => [...document.querySelectorAll("#explorer .solid .hovertext")].map((one) => one.textContent).join(" ")));
  }
  const eye = () => page.evaluate(() => ({ ...document.querySelector("#explorer .solid .stage")._fullLayout.scene.camera.eye }));
  seen.eyes = [await eye()];
  await page.focus('[data-turn="right"]');
  await page.keyboard.press("Enter");
  await page.waitForTimeout(200);
  seen.eyes.push(await eye());
  seen.saidOfTurn = await said(page);

  // Files
  const download = async (locator) => {
    const [file] = await Promise.all([page.waitForEvent("download"), locator.click()]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
  };
  seen.surfaceFile = await download(page.locator("#explorer [data-csv]"));
  await page.locator('details[data-numbers="figure5"] summary').click();
  seen.chartFile = await download(page.locator('details[data-numbers="figure5"] [data-csv]'));
  seen.tableRows = await page.$$eval('details[data-numbers="figure5"] tbody tr', (all) => all.length);
  seen.ledgerFile = await download(page.locator('[data-ledger="claims"]'));

  // Tab reaches every control that can be seen.
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.evaluate(() => {
    const controls = [...document.querySelectorAll("a[href], button, select, summary, [tabindex='0']")];
    window.unreached = new Set(controls.filter((one) => one.checkVisibility() && !one.disabled));
    document.addEventListener("focusin", (event) => window.unreached.delete(event.target));
  });
  const count = await page.evaluate(() => window.unreached.size);
  for (let i = 0; i < count + 20; i += 1) await page.keyboard.press("Tab");
  seen.controls = count;
  seen.unreached = await page.evaluate(() => [...window.unreached].map((one) => one.outerHTML.slice(0, 200)));

  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  seen.axe = await axe(page);
  seen.title = await page.title();
  seen.injected = await page.$$eval('img[src="x"]', (all) => all.length);
  // Print
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = false; }));
  await page.emulateMedia({ media: "print" });
  seen.print = await page.evaluate(() => {
    dispatchEvent(new Event("beforeprint"));
    const folded = document.querySelectorAll("details.print:not([open])").length;
    dispatchEvent(new Event("afterprint"));
    const hidden = (one) => getComputedStyle(document.querySelector(one)).display === "none";
    return { nav: hidden("nav"), solid: hidden(".solid"), twin: !hidden("svg.twin:not([hidden])"), folded, opened: document.querySelectorAll("details.print[open]").length };
  });
  await page.emulateMedia({ media: null });
  seen.errors = errors;
  seen.requests = requests;
  await context.close();
}

// Dark, and as narrow as a phone
{
  const { page, errors, context } = await opened(browser, given.page, { colorScheme: "dark", viewport: { width: 390, height: 800 } });
  seen.dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  seen.narrow = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  seen.axeDark = await axe(page);
  seen.errorsDark = errors;
  await context.close();
}

// A page with a wrong number in its data
{
  const { page, context } = await opened(browser, given.planted);
  seen.plantedHovered = await hovered(page, given.points);
  await context.close();
}
await browser.close();

// Without WebGL
{
  const without = await launch(false);
  const { page, errors } = await opened(without, given.page);
  seen.unavailable = await solid(page);
  seen.note = await page.textContent("#explorer .solid .note");
  seen.twinWithout = await shownTwin(page);
  seen.hoveredWithout = await hovered(page, given.points.slice(0, 1));
  seen.errorsWithout = errors.filter((text) => !/WebGL|GPU/i.test(text));
  await without.close();
}

process.stdout.write(JSON.stringify(seen));
