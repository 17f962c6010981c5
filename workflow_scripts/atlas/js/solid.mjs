// Surfaces in 3-D, by plotly: unpacked and run once, when the first one is asked for.
import { shown, unpacked } from "./data.mjs";
import { shareOf } from "./scale.mjs";
import { pointText } from "./surfaces.mjs";

let loading = null;

/** Plotly, from its block of the page. */
export function plotly() {
  loading ??= unpacked(document.getElementById("plotly").textContent).then((code) => {
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
    return window.Plotly;
  });
  return loading;
}

/** Whether this browser draws in 3-D. */
export function hasWebgl() {
  try {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") ?? canvas.getContext("webgl"));
  } catch {
    return false;
  }
}

/**
 * Traces of a surface: heights are places on the colour scale, so that a bowl near 0 keeps its shape
 * beside walls of many nats; the texts hold the values themselves.
 */
export function traces(surface, quantity, scale) {
  const { alpha, beta } = surface, lift = 0.012;
  const height = (value) => (value === null ? null : shareOf(scale, value));
  const rows = beta.map((_, row) => alpha.map((__, column) => row * alpha.length + column));
  const found = [{
    type: "surface", x: alpha, y: beta, showscale: false, hoverinfo: "text",
    z: rows.map((row) => row.map((place) => height(surface[quantity][place]))),
    text: rows.map((row, i) => row.map((_, j) => pointText(surface, i, j))),
    cmin: 0, cmax: 1,
    colorscale: scale.colours.map((colour, i) => [i / (scale.colours.length - 1), colour]),
    contours: { z: { show: true, start: 0.1, end: 1, size: 0.1, color: "rgba(255,255,255,0.35)", width: 1 } },
    lighting: { ambient: 0.75, diffuse: 0.5, specular: 0.08, roughness: 0.8 },
  }];
  for (const path of surface.trajectories) {
    const values = path[quantity];
    if (!values) continue;
    found.push({
      type: "scatter3d", mode: "lines+markers", x: path.alpha, y: path.beta,
      z: values.map((value) => (value === null ? null : height(value) + lift)), hoverinfo: "text",
      text: path.epoch.map((epoch, i) => `${surface.point} ${epoch}: α ${shown(path.alpha[i])}, β ${shown(path.beta[i])}, on the plane ${shown(values[i])}`),
      line: { color: "#ffffff", width: 5 }, marker: { color: "#111111", size: 2.5 },
    });
  }
  for (const anchor of surface.anchors) {
    const value = anchor[quantity];
    if (value === null) continue;
    found.push({
      type: "scatter3d", mode: "markers", x: [anchor.alpha], y: [anchor.beta], z: [height(value) + 2 * lift],
      hoverinfo: "text", text: [`${anchor.name}: ${shown(value)}`],
      marker: { size: anchor.end ? 7 : 6, symbol: anchor.end ? "diamond" : "circle", color: anchor.end ? "#D55E00" : "#111111", line: { color: "#ffffff", width: 1.5 } },
    });
  }
  return found;
}

/** Draw a surface into an element. */
export async function draw(element, surface, quantity, scale, ink, grid) {
  const library = await plotly();
  const axis = { color: ink, gridcolor: grid, zerolinecolor: grid, showspikes: false, backgroundcolor: "rgba(0,0,0,0)" };
  const eye = element.layout?.scene?.camera?.eye ?? { x: 0.5, y: -1.75, z: 1.0 };
  await library.react(element, traces(surface, quantity, scale), {
    showlegend: false, margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 11, color: ink }, autosize: true,
    hoverlabel: { align: "left" },
    scene: {
      aspectmode: "manual", aspectratio: { x: 1, y: 1, z: 0.72 }, camera: { eye },
      xaxis: { ...axis, title: { text: "α" } }, yaxis: { ...axis, title: { text: "β" } },
      zaxis: { ...axis, title: { text: scale.label }, range: [0, 1.05], tickvals: scale.ticks.map(([value]) => shareOf(scale, value)), ticktext: scale.ticks.map(([, text]) => text) },
    },
  }, { displayModeBar: false, responsive: true, scrollZoom: false });
}

/** Turn, raise or approach: the new place of the eye. */
export function moved(eye, { turn = 0, raise = 0, near = 1 }) {
  const flat = Math.hypot(eye.x, eye.y), far = Math.hypot(flat, eye.z);
  const around = Math.atan2(eye.y, eye.x) + turn;
  const up = Math.min(1.5, Math.max(-0.2, Math.atan2(eye.z, flat) + raise));
  const distance = Math.min(4, Math.max(0.5, far * near));
  return {
    x: distance * Math.cos(up) * Math.cos(around),
    y: distance * Math.cos(up) * Math.sin(around),
    z: distance * Math.sin(up),
  };
}
