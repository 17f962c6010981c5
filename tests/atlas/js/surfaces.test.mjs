import assert from "node:assert/strict";
import test from "node:test";
import { nearestPoint, placed, pointText, steppedPoint, surfaceTable } from "../../../workflow_scripts/atlas/js/surfaces.mjs";
import { moved, traces } from "../../../workflow_scripts/atlas/js/solid.mjs";

const SURFACE = {
  point: "checkpoint",
  alpha: [-1, 0, 1], beta: [-2, 2],
  train_loss: [1, 2, 3, 4, null, 6], train_error: [0, 0.5, 1, 0, 0.5, 1], dev_error: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
  anchors: [{ name: "end θ₁", end: true, alpha: 1, beta: 0, train_loss: 0.25, train_error: 0, dev_error: 0.1 }],
  trajectories: [{ run: "target", epoch: [0, 1], alpha: [0, 1], beta: [0, 0], train_loss: [1, 0.25], dev_error: [0.5, 0.1] }],
};
const SQUARE = [46, 8, 300];
const SCALE = { linear: null, top: 4, label: "loss", colours: ["#000000", "#ffffff"], ticks: [[0, "0"]] };

test("a point of the map is named with its coordinates and values", () => {
  assert.equal(pointText(SURFACE, 0, 2), "α 1, β −2: training loss 3 nats, training error 1, dev error 0.3");
  assert.match(pointText(SURFACE, 1, 1), /training loss not finite/);
});

test("the nearest grid point of a place, and its place", () => {
  assert.deepEqual(nearestPoint(SURFACE, SQUARE, 50, 300), { row: 0, column: 0, x: 46, y: 308 });
  assert.deepEqual(nearestPoint(SURFACE, SQUARE, 180, 20), { row: 1, column: 1, x: 196, y: 8 });
  assert.deepEqual(placed(SURFACE, SQUARE, 0, 2), { row: 0, column: 2, x: 346, y: 308 });
});

test("arrow keys stay inside the grid", () => {
  assert.deepEqual(steppedPoint(SURFACE, { row: 0, column: 0 }, "ArrowUp"), { row: 1, column: 0 });
  assert.deepEqual(steppedPoint(SURFACE, { row: 0, column: 0 }, "ArrowLeft"), { row: 0, column: 0 });
  assert.deepEqual(steppedPoint(SURFACE, { row: 1, column: 2 }, "ArrowRight"), { row: 1, column: 2 });
});

test("the table of a surface has every grid point, then the checkpoints", () => {
  const table = surfaceTable(SURFACE);
  assert.deepEqual(table.alpha, [-1, 0, 1, -1, 0, 1, 1]);
  assert.deepEqual(table.beta, [-2, -2, -2, 2, 2, 2, 0]);
  assert.deepEqual(table.train_loss, [1, 2, 3, 4, null, 6, 0.25]);
  assert.equal(table.point.at(-1), "end θ₁");
});

test("heights in 3-D are places on the colour scale, a hole where a value is missing", () => {
  const [surface, path, end] = traces(SURFACE, "train_loss", SCALE);
  assert.deepEqual(surface.z, [[0.25, 0.5, 0.75], [1, null, 1]]);
  assert.equal(surface.text[0][2], pointText(SURFACE, 0, 2));
  assert.deepEqual(path.x, [0, 1]);
  assert.match(path.text[1], /^checkpoint 1: α 1, β 0, on the plane 0.25$/);
  assert.match(end.text[0], /end θ₁: 0.25/);
  assert.equal(traces(SURFACE, "train_error", SCALE).length, 2);
});

test("turning keeps the distance, approaching shortens it", () => {
  const eye = { x: 1, y: 0, z: 1 }, far = (e) => Math.hypot(e.x, e.y, e.z);
  assert.ok(Math.abs(far(moved(eye, { turn: 1 })) - far(eye)) < 1e-12);
  assert.ok(Math.abs(far(moved(eye, { near: 0.5 })) - far(eye) / 2) < 1e-12);
  assert.ok(moved(eye, { raise: 0.2 }).z > 1);
});
