import assert from "node:assert/strict";
import test from "node:test";
import { bandScale, colourAt, logTicks, numberScale, shareOf, ticksOf } from "../../../workflow_scripts/atlas/js/scale.mjs";
import { broken, layout } from "../../../workflow_scripts/atlas/js/charts.mjs";

test("ticks are round and inside", () => {
  assert.deepEqual(ticksOf(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticksOf(-2.5, 2.5), [-2, -1, 0, 1, 2]);
  assert.deepEqual(ticksOf(3, 3), [3]);
  assert.deepEqual(logTicks(0.02, 300), [0.1, 1, 10, 100]);
});

test("a scale of whole numbers has no ticks between them", () => {
  assert.deepEqual(numberScale([0, 1, 2], 0, 100).ticks, [0, 1, 2]);
});

test("places are linear, logarithmic, and missing where a value has none", () => {
  const linear = numberScale([0, 10, null, "Infinity"], 0, 100, { pad: 0 });
  assert.deepEqual([linear.at(0), linear.at(5), linear.at(10)], [0, 50, 100]);
  assert.ok(Number.isNaN(linear.at(null)));
  const log = numberScale([1, 100, 0, -3], 0, 100, { log: true, pad: 0 });
  assert.ok(Math.abs(log.at(10) - 50) < 1e-9);
  assert.ok(Number.isNaN(log.at(0)));
});

test("of 77 categories some are named, all have a place", () => {
  const names = Array.from({ length: 77 }, (_, i) => `label ${i}`);
  const scale = bandScale(names, 0, 580);
  assert.ok(scale.ticks.length <= 18 && scale.ticks.length > 5);
  assert.equal(new Set(names.map(scale.at)).size, 77);
});

test("a colour scale is the figures' own: linear, or asinh near 0", () => {
  assert.equal(shareOf({ linear: null, top: 0.5 }, 0.25), 0.5);
  const loss = { linear: 0.1, top: 1 };
  assert.ok(Math.abs(shareOf(loss, 0.3) - Math.asinh(3) / Math.asinh(10)) < 1e-12);
  assert.equal(shareOf(loss, 5), 1);
  assert.equal(colourAt(["a", "b", "c"], 0.5), "b");
});

const VIEW = { kind: "line", x: "x", y: "y", series: ["task"], low: "", high: "", reference: "", value: "" };

test("a chart names the values of its points and keeps the tasks' colours", () => {
  const rows = [{ task: "b", x: 1, y: 2 }, { task: "b", x: 0, y: 1 }, { task: "a", x: 0, y: null }, { task: "a", x: 1, y: 3 }];
  const { points, series } = layout(VIEW, rows, { labels: { "": { a: "Task A" } }, places: { a: 4, b: 1 } });
  assert.deepEqual(series.map((one) => [one.name, one.look]), [["b", 1], ["Task A", 4]]);
  assert.deepEqual(points.map((point) => point.text), ["b: x 0, y 1", "b: x 1, y 2", "Task A: x 0, y missing", "Task A: x 1, y 3"]);
  assert.ok(Number.isNaN(points[2].y));
});

test("a chart of 77 curves, of one point and of none", () => {
  const rows = Array.from({ length: 154 }, (_, i) => ({ task: `t${i >> 1}`, x: i % 2, y: i }));
  const names = { labels: {}, places: {} };
  assert.equal(layout(VIEW, rows, names).series.length, 77);
  assert.equal(layout(VIEW, rows.slice(0, 1), names).points.length, 1);
  assert.deepEqual(layout(VIEW, [], names).points, []);
});

test("cells of a heat map are read row by row, the top one first", () => {
  const view = { ...VIEW, kind: "heat", value: "v", series: [] };
  const rows = [{ x: 0, y: 0, v: 1 }, { x: 1, y: 0, v: 2 }, { x: 0, y: 1, v: 3 }, { x: 1, y: 1, v: null }];
  const { points } = layout(view, rows, { labels: {}, places: {} });
  assert.deepEqual(points.map((point) => point.text), ["x 0, y 1: v 3", "x 1, y 1: v missing", "x 0, y 0: v 1", "x 1, y 0: v 2"]);
});

test("a line breaks where a value is missing", () => {
  assert.equal(broken([[0, 0], [1, NaN], [2, 1], [3, 1]]), "M0.0 0.0M2.0 1.0L3.0 1.0");
});
