// Connects the page: choices, charts, the explorer of surfaces, downloads.
import { csvOf, labelled, rowsOf, shown, unpacked } from "./data.mjs";
import { resolved, stepped } from "./choices.mjs";
import { chart } from "./charts.mjs";
import { nearestPoint, placed, pointText, QUANTITIES, steppedPoint, surfaceTable } from "./surfaces.mjs";
import { draw, hasWebgl, moved } from "./solid.mjs";

const MOST_ROWS = 500;
const NAMES = { task: "Task", start: "Start", group: "Layer group", quantity: "Quantity", layer: "Layer", pair: "Models", measure: "Measure", sweep: "Recipe", part: "Part", split: "Split", kind: "Kind", head: "Head of", seeds: "Seeds" };

/** An HTML element with properties and children; a text child is text. */
function html(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Say something to screen readers. */
function say(text) {
  document.getElementById("said").textContent = text;
}

/** Show a text at a place of the window; nothing without a text. */
function tip(text, x = 0, y = 0) {
  const box = document.getElementById("tip");
  box.hidden = !text;
  box.textContent = text ?? "";
  if (!text) return;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 6))}px`;
  box.style.top = `${y + 18 + height > innerHeight ? y - height - 12 : y + 18}px`;
}

/** Where a point of an SVG is in the window, and the reverse. */
function toWindow(drawing, x, y) {
  return new DOMPoint(x, y).matrixTransform(drawing.getScreenCTM());
}
function toDrawing(drawing, event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
}

/** The page's views of some data, with the choices that they share. */
function atlas(data) {
  const state = { quantity: "train_loss", start: "pretrained" };
  const views = [];
  const label = (value, column) => (column === "layer" && value === -1 ? "embeddings" : labelled(data.labels, value, column));

  /** Fill a row of selects; the one that has the focus stays. */
  function choose(row, options, chosen) {
    for (const [name, values] of Object.entries(options)) {
      let select = row.querySelector(`select[data-choice="${name}"]`);
      if (!select) {
        select = html("select");
        select.dataset.choice = name;
        select.addEventListener("change", () => {
          const value = JSON.parse(select.value);
          state[name] = value;
          views.forEach((update) => update());
          say(`${NAMES[name] ?? name}: ${label(value, name)}. ${row.dataset.says ?? ""}`);
        });
        row.append(html("label", {}, html("span", { textContent: NAMES[name] ?? name }), select));
      }
      const texts = values.map((value) => JSON.stringify(value));
      if (texts.join() !== [...select.options].map((one) => one.value).join()) {
        select.replaceChildren(...values.map((value) => html("option", { value: JSON.stringify(value), textContent: label(value, name) })));
      }
      select.value = JSON.stringify(chosen[name]);
      select.disabled = values.length < 2;
      select.parentElement.hidden = values.length < 2;
    }
  }

  /** A chart of a figure, drawn again when a choice changes. */
  function addChart(place) {
    const view = data.views[place.dataset.figure][Number(place.dataset.view)];
    const records = rowsOf(data.tables[place.dataset.figure]);
    const row = place.querySelector(".choices"), stage = place.querySelector(".stage");
    const legend = place.querySelector(".legend");
    let drawn = null, at = -1, before = "";
    const point = (next, spoken) => {
      at = next;
      const found = drawn.points[at];
      drawn.cursor.setAttribute("cx", found && !Number.isNaN(found.y) ? found.x : -20);
      drawn.cursor.setAttribute("cy", found && !Number.isNaN(found.y) ? found.y : -20);
      if (!found) return tip();
      const { x, y } = toWindow(drawn.drawing, found.x, Number.isNaN(found.y) ? 0 : found.y);
      tip(found.text, x, y);
      if (spoken) say(found.text);
    };
    stage.addEventListener("pointermove", (event) => {
      const { x, y } = toDrawing(drawn.drawing, event);
      const distance = (p) => Math.hypot(p.x - x, Number.isNaN(p.y) ? 1e4 : p.y - y);
      const best = drawn.points.reduce((b, p, i) => (b < 0 || distance(p) < distance(drawn.points[b]) ? i : b), -1);
      point(best >= 0 && distance(drawn.points[best]) < 60 ? best : -1, false);
    });
    stage.addEventListener("pointerleave", () => point(-1));
    stage.addEventListener("blur", () => point(-1));
    stage.addEventListener("keydown", (event) => {
      const next = event.key === "Escape" ? -1 : stepped(drawn.points, at, event.key);
      if (next === at && !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      point(next, true);
    });
    views.push(() => {
      const { options, chosen, left } = resolved(records, view.choices, state);
      choose(row, options, chosen);
      const now = JSON.stringify(chosen);
      if (now === before) return;
      before = now;
      drawn = chart(view, left, data, data.scales.train_loss.colours);
      at = -1;
      stage.replaceChildren(drawn.drawing);
      stage.setAttribute("aria-label", `${place.dataset.title}: ${view.y_title} by ${view.x_title}; ${Object.entries(chosen).map(([name, value]) => label(value, name)).join(", ")}. ${drawn.points.length} points; arrow keys read them.`);
      legend.replaceChildren(...drawn.legend.flatMap(({ name, look, ramp }) => [
        html("span", {}, html("i", { className: look === undefined ? "none" : `c${look}` }), name),
        ...(ramp ? [html("b", { className: "ramp", style: `background: linear-gradient(90deg, ${ramp.join()})` })] : []),
      ]));
    });
  }

  /** The explorer: flat maps, which the page holds, and the same surface in 3-D. */
  function addExplorer(place) {
    const records = data.surfaces.map((surface, index) => ({ ...surface, index }));
    const quantities = Object.keys(QUANTITIES);
    const row = place.querySelector(".choices"), flat = place.querySelector(".flat .stage");
    const solid = place.querySelector(".solid .stage"), note = place.querySelector(".solid .note");
    const ask = place.querySelector(".ask"), turns = place.querySelector(".turns");
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("r", "5");
    let surface = null, twin = null, at = null, asked = false;
    const point = (next, spoken) => {
      at = next;
      if (!at) { cursor.remove(); return tip(); }
      const { x, y } = placed(surface, data.square, at.row, at.column);
      cursor.setAttribute("cx", x);
      cursor.setAttribute("cy", y);
      twin.append(cursor);
      const text = pointText(surface, at.row, at.column), there = toWindow(twin, x, y);
      tip(text, there.x, there.y);
      if (spoken) say(text);
    };
    flat.addEventListener("pointermove", (event) => {
      const { x, y } = toDrawing(twin, event), [left, top, side] = data.square;
      const inside = x > left - 8 && x < left + side + 8 && y > top - 8 && y < top + side + 8;
      point(inside ? nearestPoint(surface, data.square, x, y) : null, false);
    });
    flat.addEventListener("pointerleave", () => point(null));
    flat.addEventListener("blur", () => point(null));
    flat.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return point(null);
      if (!event.key.startsWith("Arrow")) return undefined;
      event.preventDefault();
      const middle = { row: surface.beta.length >> 1, column: surface.alpha.length >> 1 };
      return point(at ? steppedPoint(surface, at, event.key) : middle, true);
    });
    const redraw = async () => {
      if (!asked) return;
      const ink = getComputedStyle(document.body).color;
      const grid = getComputedStyle(document.body).getPropertyValue("--line");
      try {
        await draw(solid, surface, state.quantity, data.scales[state.quantity], ink, grid);
        place.dataset.solid = "drawn";
        turns.hidden = false;
        note.textContent = "Drag to turn, + and − to zoom. Heights follow the colour scale: linear near 0, logarithmic above.";
      } catch (error) {
        note.textContent = `3-D could not be drawn (${error.message}); the map beside it shows the same numbers.`;
        place.dataset.solid = "failed";
      }
    };
    const start = () => {
      if (asked) return;
      ask.hidden = true;
      if (!hasWebgl()) {
        note.textContent = "3-D needs WebGL, which this browser does not offer. The map beside it shows the same numbers.";
        say(note.textContent);
        place.dataset.solid = "unavailable";
        return;
      }
      asked = true;
      note.textContent = "Drawing in 3-D …";
      // The note is painted before plotly takes the thread.
      requestAnimationFrame(() => setTimeout(redraw));
    };
    ask.addEventListener("click", start);
    new IntersectionObserver((seen, observer) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      start();
    }, { threshold: 0.35 }).observe(solid);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    turns.addEventListener("click", async (event) => {
      const how = { left: { turn: -0.3 }, right: { turn: 0.3 }, up: { raise: 0.2 }, down: { raise: -0.2 }, near: { near: 0.8 }, far: { near: 1.25 } }[event.target.dataset.turn];
      if (!how) return;
      await window.Plotly.relayout(solid, { "scene.camera.eye": moved(solid._fullLayout.scene.camera.eye, how) });
      say(`3-D view: ${event.target.getAttribute("aria-label")}`);
    });
    views.push(() => {
      const named = records.flatMap((record) => quantities.map((quantity) => ({ task: record.task, start: record.start, group: record.group, quantity, index: record.index })));
      const choices = ["task", "start", "group", "quantity"].map((name) => [name, name]);
      const { options, chosen, left } = resolved(named, choices, state);
      choose(row, options, chosen);
      const next = flat.querySelector(`svg[data-surface="${left[0].index}"][data-quantity="${chosen.quantity}"]`);
      if (next === twin) return;
      state.quantity = chosen.quantity;
      surface = data.surfaces[left[0].index];
      for (const one of flat.querySelectorAll("svg.twin")) one.toggleAttribute("hidden", one !== next);
      twin = next;
      place.querySelector(".off").textContent = surface.notes[chosen.quantity];
      point(null);
      flat.setAttribute("aria-label", `${twin.getAttribute("aria-label")}; arrow keys read its points.`);
      redraw();
    });
    place.querySelector("[data-csv]").addEventListener("click", () => {
      const { task, start, group } = surface;
      download(`surface_${task}_${start}_${group.replace(" ", "_")}.csv`, csvOf(surfaceTable(surface)));
    });
  }

  for (const place of document.querySelectorAll(".view")) addChart(place);
  const place = document.getElementById("explorer");
  if (place && data.surfaces.length) addExplorer(place);
  views.forEach((update) => update());
}

/** Let the browser save a text as a file. */
function download(name, text) {
  const link = html("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(`Saved ${name}`);
}

/** Numbers of figures: as a table when one is opened, as a file when it is asked for. */
function numbers(data) {
  for (const details of document.querySelectorAll("details[data-numbers]")) {
    const name = details.dataset.numbers, columns = data.tables[name];
    details.querySelector("[data-csv]").addEventListener("click", () => download(`${name}.csv`, csvOf(columns)));
    details.addEventListener("toggle", () => {
      const place = details.querySelector(".scroll");
      if (!details.open || place.childElementCount) return;
      const names = Object.keys(columns), rows = rowsOf(columns);
      const cell = (value) => html("td", { textContent: typeof value === "number" ? shown(value) : value ?? "" });
      place.append(html("table", {},
        html("thead", {}, html("tr", {}, ...names.map((one) => html("th", { textContent: one, scope: "col" })))),
        html("tbody", {}, ...rows.slice(0, MOST_ROWS).map((row) => html("tr", {}, ...names.map((one) => cell(row[one])))))));
      if (rows.length > MOST_ROWS) place.append(html("p", { textContent: `The first ${MOST_ROWS} of ${rows.length} rows; the file has all.` }));
    });
  }
  for (const button of document.querySelectorAll("[data-ledger]")) {
    const name = button.dataset.ledger;
    button.addEventListener("click", () => download(`${name}.csv`, csvOf(data.ledgers[name])));
  }
}

/** Open what is folded while the page is printed, and where a link leads to it. */
function unfold() {
  const folded = () => document.querySelectorAll("details.print:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...folded()]; opened.forEach((one) => { one.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
  const follow = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", follow);
  follow();
}

unfold();
unpacked(document.getElementById("data").textContent).then((text) => {
  const data = JSON.parse(text);
  atlas(data);
  numbers(data);
  document.documentElement.dataset.ready = "yes";
});
