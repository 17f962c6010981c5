import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import test from "node:test";
import { csvOf, labelled, numeric, rowsOf, shown, unpacked } from "../../../workflow_scripts/atlas/js/data.mjs";

test("a block is unpacked to the text that was compressed", async () => {
  const text = JSON.stringify({ "α": [1.5, null], title: "<b>" });
  assert.equal(await unpacked(gzipSync(text).toString("base64")), text);
});

test("rows of a table by column", () => {
  assert.deepEqual(rowsOf({ a: [1, 2], b: ["x", null] }), [{ a: 1, b: "x" }, { a: 2, b: null }]);
  assert.deepEqual(rowsOf({}), []);
});

test("missing values are no numbers, infinite ones are", () => {
  assert.ok([null, undefined, "", true, "text"].every((value) => Number.isNaN(numeric(value))));
  assert.equal(numeric("Infinity"), Infinity);
  assert.equal(numeric("-2.5"), -2.5);
});

test("numbers are shown with five digits and a true minus", () => {
  assert.equal(shown(0.6931471), "0.69315");
  assert.equal(shown(-1234567), "−1.2346e6");
  assert.equal(shown(1.5e-6), "1.5e−6");
  assert.equal(shown(0), "0");
  assert.equal(shown(null), "missing");
  assert.equal(shown(NaN), "NaN");
});

test("words of a column come before those of all", () => {
  const labels = { "": { a: "Task A", pretrained: "?" }, start: { pretrained: "Fine-tuned" } };
  assert.equal(labelled(labels, "pretrained", "start"), "Fine-tuned");
  assert.equal(labelled(labels, "a", "task"), "Task A");
  assert.equal(labelled(labels, -0.5, "alpha"), "−0.5");
  assert.equal(labelled(labels, null), "none");
});

test("CSV quotes what needs it and writes NaN for what is missing", () => {
  assert.equal(csvOf({ name: ['a"b', "c,d", "e\nf"], value: [1, null, "Infinity"] }),
    'name,value\n"a""b",1\n"c,d",NaN\n"e\nf",Infinity\n');
});
