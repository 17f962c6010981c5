import assert from "node:assert/strict";
import test from "node:test";
import { grouped, resolved, stepped } from "../../../workflow_scripts/atlas/js/choices.mjs";

const RECORDS = [
  { task: "a", layer: 2, v: 1 }, { task: "a", layer: -1, v: 2 }, { task: "b", layer: 2, v: 3 },
];
const CHOICES = [["task", "task"], ["layer", "layer"]];

test("a later choice offers what the earlier ones leave, numbers in order", () => {
  const { options, chosen, left } = resolved(RECORDS, CHOICES, { task: "a" });
  assert.deepEqual(options, { task: ["a", "b"], layer: [-1, 2] });
  assert.deepEqual(chosen, { task: "a", layer: -1 });
  assert.deepEqual(left.map((record) => record.v), [2]);
});

test("what is asked for and not offered falls back to the first", () => {
  const { chosen, left } = resolved(RECORDS, CHOICES, { task: "b", layer: -1 });
  assert.deepEqual(chosen, { task: "b", layer: 2 });
  assert.equal(left[0].v, 3);
  assert.equal(resolved(RECORDS, CHOICES, { task: "z" }).chosen.task, "a");
});

test("records are grouped by several keys", () => {
  const groups = grouped([{ a: 1, b: null }, { a: 1, b: 2 }, { a: 1, b: null }], ["a", "b"]);
  assert.deepEqual(groups.map(([name, members]) => [name, members.length]), [["1", 2], ["1, 2", 1]]);
});

const POINTS = [{ group: 0, x: 0 }, { group: 0, x: 10 }, { group: 1, x: 1 }, { group: 1, x: 9 }];

test("arrow keys step through points and between curves at the nearest x", () => {
  assert.equal(stepped(POINTS, -1, "ArrowRight"), 0);
  assert.equal(stepped(POINTS, 0, "ArrowRight"), 1);
  assert.equal(stepped(POINTS, 0, "ArrowLeft"), 0);
  assert.equal(stepped(POINTS, 3, "ArrowRight"), 3);
  assert.equal(stepped(POINTS, 1, "ArrowDown"), 3);
  assert.equal(stepped(POINTS, 2, "ArrowUp"), 0);
  assert.equal(stepped(POINTS, 0, "ArrowUp"), 0);
  assert.equal(stepped(POINTS, 0, "End"), 3);
  assert.equal(stepped(POINTS, 1, "Tab"), 1);
  assert.equal(stepped([], -1, "ArrowRight"), -1);
});
