// Scales: from values to places and colours, and their ticks.
import { numeric, shown } from "./data.mjs";

/** Round values in [low, high], about as many as asked for. */
export function ticksOf(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten around positive values, or three ticks where they span less than one. */
export function logTicks(low, high) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  if (last <= first) return [low, Math.sqrt(low * high), high].map((v) => Number(v.toPrecision(2)));
  const step = Math.ceil((last - first + 1) / 6);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .filter((power) => (power - first) % step === 0).map((power) => Number(`1e${power}`));
}

/**
 * A scale of numbers, linear or logarithmic.
 *
 * @returns {{at: function, ticks: number[], text: function}} `at` gives the place of a value
 *   between `from` and `to`, NaN where it has none
 */
export function numberScale(values, from, to, { log = false, zero = false, pad = 0.04 } = {}) {
  const known = values.map(numeric).filter((v) => Number.isFinite(v) && (!log || v > 0));
  let low = Math.min(...known), high = Math.max(...known);
  if (!known.length) [low, high] = log ? [0.1, 1] : [0, 1];
  if (zero && !log) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const whole = known.every(Number.isInteger);
  const ticks = (log ? logTicks(low, high) : ticksOf(low, high)).filter((v) => !whole || log || Number.isInteger(v));
  const way = log ? Math.log : (v) => v;
  const margin = pad * (way(high) - way(low));
  const start = way(low) - (zero && low === 0 ? 0 : margin), end = way(high) + margin;
  const at = (value) => {
    const number = numeric(value);
    return Number.isFinite(number) && (!log || number > 0)
      ? from + ((way(number) - start) / (end - start)) * (to - from) : NaN;
  };
  return { at, ticks, text: shown };
}

/** A scale of categories: places in the middle of equal bands. */
export function bandScale(values, from, to) {
  const names = [...new Set(values)], band = (to - from) / Math.max(names.length, 1);
  const every = Math.ceil((names.length * 34) / Math.max(Math.abs(to - from), 1));
  return {
    at: (value) => from + (names.indexOf(value) + 0.5) * band,
    ticks: names.filter((_, place) => place % every === 0),
    text: (value) => (value === null ? "none" : String(value)),
    band: Math.abs(band),
    room: Math.abs(band) * every,
    names,
  };
}

/** Share of a value on a colour scale of the page, 0 to 1. */
export function shareOf(scale, value) {
  const share = scale.linear
    ? Math.asinh(value / scale.linear) / Math.asinh(scale.top / scale.linear) : value / scale.top;
  return Math.min(1, Math.max(0, share));
}

/** The colour at a share of evenly spaced colours. */
export function colourAt(colours, share) {
  return colours[Math.round(Math.min(1, Math.max(0, share)) * (colours.length - 1))];
}
