// Choices that all views share: what is chosen, and what there is to choose from.

/**
 * What is chosen among records, one choice after the other.
 *
 * A choice offers the values of the records that the choices before it leave. What the shared state
 * asks for is taken where it is offered, else the first value.
 *
 * @param {object[]} records
 * @param {[string, string][]} choices name of a choice, and the key of the records that it is about
 * @param {object} state value by name of a choice
 * @returns {{options: object, chosen: object, left: object[]}}
 */
export function resolved(records, choices, state) {
  let left = records;
  const options = {}, chosen = {};
  for (const [name, key] of choices) {
    options[name] = [...new Set(left.map((record) => record[key]))];
    if (typeof options[name][0] === "number") options[name].sort((a, b) => a - b);
    chosen[name] = options[name].includes(state[name]) ? state[name] : options[name][0];
    left = left.filter((record) => record[key] === chosen[name]);
  }
  return { options, chosen, left };
}

/** Records grouped by the values of some keys, as [name, records], in their order. */
export function grouped(records, keys) {
  const groups = new Map();
  for (const record of records) {
    const name = keys.map((key) => record[key]).filter((part) => part !== null).join(", ");
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(record);
  }
  return [...groups];
}

/**
 * The point that a key leads to.
 *
 * @param {{group: number, x: number}[]} points
 * @param {number} at place of the current point, -1 for none
 * @param {string} key of a KeyboardEvent
 * @returns {number} place of the next point; the same one where the key leads nowhere
 */
export function stepped(points, at, key) {
  if (!points.length) return -1;
  if (at < 0) return key.startsWith("Arrow") || key === "Home" ? 0 : at;
  const last = points.length - 1;
  if (key === "ArrowRight") return Math.min(at + 1, last);
  if (key === "ArrowLeft") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key !== "ArrowUp" && key !== "ArrowDown") return at;
  const groups = [...new Set(points.map((point) => point.group))].sort((a, b) => a - b);
  const group = groups[groups.indexOf(points[at].group) + (key === "ArrowDown" ? 1 : -1)];
  if (group === undefined) return at;
  const distance = (place) => Math.abs(points[place].x - points[at].x);
  return points.reduce((best, point, place) =>
    point.group === group && (best < 0 || distance(place) < distance(best)) ? place : best, -1);
}
