// The page's data: unpacking, tables, numbers as text, CSV.

/** Text of a block of the page: base64 of gzip. */
export async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Rows of a table that is kept by column, as objects. */
export function rowsOf(columns) {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(names.map((name) => [name, columns[name][row]])));
}

/** A value as a number: NaN where it is missing or no number, infinite where it says so. */
export function numeric(value) {
  return value === null || value === undefined || value === "" || typeof value === "boolean"
    ? NaN : Number(value);
}

/** A number with five digits, or a text, for people. */
export function shown(value) {
  if (value === null || value === undefined) return "missing";
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6)
    ? Number(value.toPrecision(5)).toExponential() : String(Number(value.toPrecision(5)));
  return text.replaceAll("-", "−").replace("e+", "e");
}

/** What a value of a column is called: by the words of that column, or of all. */
export function labelled(labels, value, column = "") {
  if (value === null || value === undefined) return "none";
  return labels[column]?.[value] ?? labels[""]?.[value] ?? (typeof value === "number" ? shown(value) : String(value));
}

/** A table that is kept by column, as CSV; a missing value is NaN. */
export function csvOf(columns) {
  const names = Object.keys(columns);
  const field = (value) => {
    const text = value === null || value === undefined ? "NaN" : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = rowsOf(columns).map((row) => names.map((name) => field(row[name])).join(","));
  return [names.map(field).join(","), ...rows].join("\n") + "\n";
}
