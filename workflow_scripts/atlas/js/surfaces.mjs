// Surfaces: what a point of a flat map is, in words, and their numbers as a table.
import { shown } from "./data.mjs";

export const QUANTITIES = { train_loss: "training loss", train_error: "training error", dev_error: "dev error" };

/** Text of a point of the grid, by its row (β) and column (α). */
export function pointText(surface, row, column) {
  const place = row * surface.alpha.length + column;
  const value = (name) => {
    const number = surface[name][place];
    return number === null ? "not finite" : name === "train_loss" ? `${shown(number)} nats` : shown(number);
  };
  const values = Object.entries(QUANTITIES).map(([name, words]) => `${words} ${value(name)}`);
  return `α ${shown(surface.alpha[column])}, β ${shown(surface.beta[row])}: ${values.join(", ")}`;
}

/** Row and column of the grid point nearest to a place of a flat map, and that point's place. */
export function nearestPoint(surface, square, x, y) {
  const [left, top, side] = square, { alpha, beta } = surface;
  const along = (values, share) => {
    const value = values[0] + share * (values.at(-1) - values[0]);
    return values.reduce((best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best), 0);
  };
  return placed(surface, square, along(beta, 1 - (y - top) / side), along(alpha, (x - left) / side));
}

/** A grid point with its place on a flat map. */
export function placed(surface, [left, top, side], row, column) {
  const share = (values, i) => (values[i] - values[0]) / (values.at(-1) - values[0]);
  return {
    row, column,
    x: left + side * share(surface.alpha, column),
    y: top + side * (1 - share(surface.beta, row)),
  };
}

/** The grid point that an arrow key leads to. */
export function steppedPoint(surface, { row, column }, key) {
  const [down, right] = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[key] ?? [0, 0];
  return {
    row: Math.min(surface.beta.length - 1, Math.max(0, row + down)),
    column: Math.min(surface.alpha.length - 1, Math.max(0, column + right)),
  };
}

/** A surface's numbers as a table by column, the points of the checkpoints last. */
export function surfaceTable(surface) {
  const { alpha, beta, anchors } = surface;
  const columns = {
    alpha: beta.flatMap(() => alpha),
    beta: beta.flatMap((b) => alpha.map(() => b)),
    point: beta.flatMap(() => alpha.map(() => "grid")),
  };
  for (const name of Object.keys(QUANTITIES)) columns[name] = [...surface[name]];
  for (const anchor of anchors) {
    for (const name of ["alpha", "beta", ...Object.keys(QUANTITIES)]) columns[name].push(anchor[name]);
    columns.point.push(anchor.name);
  }
  return columns;
}
