// Charts: from a view and its rows to SVG, and to the points that hovering and keys reach.
import { labelled, numeric, shown } from "./data.mjs";
import { grouped } from "./choices.mjs";
import { bandScale, colourAt, numberScale } from "./scale.mjs";

const WIDE = 660, HIGH = 300, BOX = { left: 64, right: 14, top: 12, bottom: 46 };
const DASHES = ["", "6 3", "2 2.5", "7 2.5 2 2.5"];
const COLOURS = 8, MOST_NAMED = 10;

/** An SVG element with attributes and children; a text child is text. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/**
 * What a chart consists of, without the document: series with colours, scales, points.
 *
 * @param {object} view see `views.View`
 * @param {object[]} rows
 * @param {object} names `labels` (words of values, by column) and `places` (their colours)
 */
export function layout(view, rows, names) {
  const label = (value, column) => labelled(names.labels, value, column);
  const right = WIDE - BOX.right, bottom = HIGH - BOX.bottom;
  const heat = view.kind === "heat";
  const series = heat ? [] : grouped(rows, view.series).map(([, members], place) => {
    const values = view.series.map((key) => members[0][key]);
    const own = values.map((value) => names.places[value]).find((v) => v !== undefined);
    return {
      name: values.map((value, i) => (value === null ? "" : label(value, view.series[i]))).filter(Boolean).join(", "),
      rows: members, look: own ?? place,
    };
  }).filter((one) => one.rows.some((row) => !Number.isNaN(numeric(row[view.y])))).sort((a, b) => a.look - b.look);
  const xs = rows.map((row) => row[view.x]).filter((value) => value !== null);
  const texts = xs.some((value) => typeof value === "string");
  const sorted = (values) => (values.some((v) => typeof v === "string") ? values : [...values].sort((a, b) => a - b));
  const banded = heat || view.kind === "bars" || view.kind === "points" || texts;
  const x = banded ? bandScale(sorted(xs), BOX.left, right)
    : numberScale(xs, BOX.left, right, { pad: 0.02 });
  const ys = rows.flatMap((row) => [view.y, view.low, view.high, view.reference]
    .filter(Boolean).map((key) => row[key]));
  const y = heat ? bandScale(sorted(rows.map((row) => row[view.y])), bottom, BOX.top)
    : numberScale(ys, bottom, BOX.top, { log: view.log, zero: view.kind === "bars" });
  const points = heat ? cells(view, rows, x, y, label) : marks(view, series, x, y, label);
  return { view, series, x, y, label, points };
}

/** Points of a chart with series. */
function marks(view, series, x, y, label) {
  const count = Math.max(series.length, 1);
  const spread = x.band ? x.band * 0.72 : 0;
  return series.flatMap((one, group) => {
    const rows = view.kind === "line" && !x.band
      ? [...one.rows].sort((a, b) => numeric(a[view.x]) - numeric(b[view.x])) : one.rows;
    one.shift = spread * ((group + 0.5) / count - 0.5);
    if (view.kind === "line" || view.kind === "path") one.shift = 0;
    return rows.map((row) => {
      const interval = view.low && row[view.low] !== null && row[view.low] !== undefined
        ? ` [${shown(row[view.low])} to ${shown(row[view.high])}]` : "";
      const value = shown(row[view.y]);
      return {
        group, row, x: row[view.x] === null ? (BOX.left + WIDE - BOX.right) / 2 : x.at(row[view.x]) + one.shift,
        y: y.at(row[view.y]),
        text: `${one.name ? `${one.name}: ` : ""}${row[view.x] === null ? "" : `${view.x} ${label(row[view.x], view.x)}, `}${view.y} ${value}${interval}`,
      };
    });
  });
}

/** Points of a heat map. */
function cells(view, rows, x, y, label) {
  return rows.map((row) => ({
    group: -y.names.indexOf(row[view.y]), row, x: x.at(row[view.x]), y: y.at(row[view.y]),
    text: `${view.x} ${label(row[view.x], view.x)}, ${view.y} ${label(row[view.y], view.y)}: ${view.value} ${shown(row[view.value])}`,
  })).sort((a, b) => a.group - b.group || a.x - b.x);
}

/** The chart as SVG, with its legend. */
export function chart(view, rows, names, colours) {
  const plan = layout(view, rows, names);
  const { x, y, points, series } = plan, bottom = HIGH - BOX.bottom;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "chart", "aria-hidden": "true" });
  for (const tick of y.ticks) {
    const at = y.at(tick);
    if (!y.band) drawing.append(svg("path", { class: "grid", d: `M${BOX.left} ${at}H${WIDE - BOX.right}` }));
    drawing.append(svg("text", { x: BOX.left - 7, y: at + 4, "text-anchor": "end" }, y.band ? plan.label(tick, view.y) : y.text(tick)));
  }
  for (const tick of x.ticks) {
    const text = plan.label(tick, view.x), room = Math.max(5, Math.floor(((x.room ?? 84) - 4) / 6));
    drawing.append(svg("text", { x: x.at(tick), y: bottom + 17, "text-anchor": "middle" },
      x.band ? (text.length > room ? `${text.slice(0, room - 1)}…` : text) : x.text(tick)));
  }
  drawing.append(
    svg("path", { class: "axis", d: `M${BOX.left} ${BOX.top}V${bottom}H${WIDE - BOX.right}` }),
    svg("text", { class: "name", x: (BOX.left + WIDE - BOX.right) / 2, y: HIGH - 8, "text-anchor": "middle" }, view.x_title),
    svg("text", { class: "name", x: 0, y: 0, "text-anchor": "middle", transform: `translate(13 ${(BOX.top + bottom) / 2}) rotate(-90)` }, view.y_title),
  );
  const legend = view.kind === "heat" ? heat(drawing, plan, colours) : curves(drawing, plan);
  const cursor = svg("circle", { class: "cursor", r: 6, cx: -20, cy: -20 });
  drawing.append(cursor);
  return { drawing, points, legend, cursor, series };
}

/** Lines, bands, bars and points; gives the legend. */
function curves(drawing, { view, series, x, y, points }) {
  const count = series.length;
  series.forEach((one, group) => {
    const own = points.filter((point) => point.group === group);
    const look = { class: `c${one.look % COLOURS}` };
    // Without an x the value holds for all: a line across.
    for (const point of own.filter((known) => known.row[view.x] === null && !Number.isNaN(known.y))) {
      drawing.append(svg("path", { class: `${look.class} curve reference`, d: `M${BOX.left} ${point.y}H${WIDE - BOX.right}` }));
    }
    const dash = view.kind === "line" ? DASHES[Math.floor(one.look / COLOURS) % DASHES.length] || (one.look === 1 && count === 2 ? "6 3" : "") : "";
    const line = (key) => own.map((point) => [point.x, key ? y.at(point.row[key]) : point.y]);
    if (view.kind === "line" || view.kind === "path") {
      if (view.low) drawing.append(svg("path", { ...look, class: `${look.class} band`, d: band(line(view.low), line(view.high)) }));
      if (view.reference) drawing.append(svg("path", { class: `${look.class} curve reference`, d: broken(line(view.reference)) }));
      drawing.append(svg("path", { class: `${look.class} curve`, d: broken(line()), ...(dash ? { "stroke-dasharray": dash } : {}) }));
    }
    const wide = Math.max(2, (x.band ?? 12) * 0.72 / Math.max(count, 1) - 1);
    for (const point of own) {
      if (Number.isNaN(point.x) || Number.isNaN(point.y)) continue;
      const zero = y.at(0);
      if (view.kind === "bars") {
        drawing.append(svg("rect", { class: `${look.class} bar`, x: point.x - wide / 2, width: wide, y: Math.min(point.y, zero), height: Math.max(1, Math.abs(zero - point.y)) }));
      } else if (own.length <= 40) {
        drawing.append(svg("circle", { class: `${look.class} mark`, cx: point.x, cy: point.y, r: view.kind === "points" ? 4 : 2.8 }));
      }
      const [low, high] = [view.low, view.high].map((key) => (key ? y.at(point.row[key]) : NaN));
      if (view.kind !== "line" && low - high > 0) drawing.append(svg("path", { class: "whisker", d: `M${point.x} ${low}V${high}` }));
      if (view.kind === "bars" && view.reference) {
        const at = y.at(point.row[view.reference]);
        if (!Number.isNaN(at)) drawing.append(svg("path", { class: "whisker", "stroke-dasharray": "3 2", d: `M${point.x - wide / 2} ${at}h${wide}` }));
      }
    }
  });
  if (count < 2 && !series[0]?.name) return [];
  return count > MOST_NAMED ? [{ name: `${count} curves: hover, or step through them with the arrow keys` }]
    : series.map((one) => ({ name: one.name, look: one.look % COLOURS }));
}

/** Cells of a heat map; gives the legend: the ends of the scale. */
function heat(drawing, { view, points, x, y }, colours) {
  const values = points.map((point) => numeric(point.row[view.value])).filter((v) => Number.isFinite(v) && (!view.log || v > 0));
  const way = view.log ? Math.log : (v) => v;
  const low = Math.min(...values), high = Math.max(...values);
  for (const point of points) {
    const value = numeric(point.row[view.value]);
    const known = Number.isFinite(value) && (!view.log || value > 0);
    const share = high > low ? (way(value) - way(low)) / (way(high) - way(low)) : 0.5;
    drawing.append(svg("rect", {
      class: known ? "cell" : "cell missing", fill: known ? colourAt(colours, share) : "url(#hatch)",
      x: point.x - x.band / 2, y: point.y - y.band / 2, width: x.band, height: y.band,
    }));
  }
  return values.length ? [{ name: shown(low), ramp: colours }, { name: `${shown(high)}${view.log ? " (logarithmic)" : ""}` }] : [{ name: "no finite value" }];
}

/** A path that breaks where a value is missing. */
export function broken(places) {
  let pen = "M";
  return places.map(([x, y]) => {
    if (Number.isNaN(x) || Number.isNaN(y)) { pen = "M"; return ""; }
    const part = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    return part;
  }).join("");
}

function band(low, high) {
  const known = low.map((place, i) => [place, high[i]]).filter(([a, b]) => ![...a, ...b].some(Number.isNaN));
  if (known.length < 2) return "";
  return `${broken(known.map(([a]) => a))}L${broken(known.map(([, b]) => b).reverse()).slice(1)}Z`;
}
