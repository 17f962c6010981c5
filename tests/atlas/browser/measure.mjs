// Times of a page: until its first screen is painted, until it is ready, until 3-D is drawn once asked for.
import { given, launch, opened } from "./common.mjs";

const runs = [];
for (let i = 0; i < given.repeats; i += 1) {
  // A window too low for the 3-D view to be in sight before it is asked for.
  const browser = await launch();
  const { page } = await opened(browser, given.page);
  const first = (type, name) => page.evaluate(([kind, which]) => new Promise((resolve) => {
    new PerformanceObserver((list) => {
      const found = list.getEntries().filter((one) => !which || one.name === which).at(-1);
      if (found) resolve(found.startTime);
    }).observe({ type: kind, buffered: true });
  }), [type, name]);
  const paint = await first("paint", "first-contentful-paint");
  const largest = await first("largest-contentful-paint");
  const solid = await page.evaluate(() => new Promise((resolve) => {
    const explorer = document.getElementById("explorer"), asked = performance.now();
    new MutationObserver(() => explorer.dataset.solid && requestAnimationFrame(() => resolve(performance.now() - asked)))
      .observe(explorer, { attributes: true, attributeFilter: ["data-solid"] });
    explorer.querySelector(".ask").click();
  }));
  runs.push({ paint: paint / 1000, largest: largest / 1000, solid: solid / 1000 });
  await browser.close();
}
process.stdout.write(JSON.stringify({ runs }));
