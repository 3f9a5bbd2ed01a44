// Curves over time as SVG, of columns that the server sends. Never asks for them.
import { h } from "./dom.js";

const WIDTH = 420, HEIGHT = 170, LEFT = 62, RIGHT = 10, TOP = 10, BOTTOM = 26;

// series: [{ name, times, values }] in ms; most: the top of the scale, or none.
export function curves(title, series, written, most) {
  const drawn = series.filter((one) => one.times.length > 1);
  const heading = h("figcaption", {}, title);
  if (!drawn.length) return h("figure", { class: "curves" }, heading, h("p", { class: "empty quiet" }, "Two samples make a curve: one comes every ten seconds."));
  const from = Math.min(...drawn.map((one) => one.times[0])), to = Math.max(...drawn.map((one) => one.times.at(-1)));
  const top = most || Math.max(1e-9, ...drawn.flatMap((one) => one.values)) * 1.1;
  const x = (ms) => LEFT + (ms - from) / (to - from || 1) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - Math.min(1, value / top) * (HEIGHT - TOP - BOTTOM);
  const nothing = !most && drawn.every((one) => one.values.every((value) => !value));
  const ups = (nothing ? [0] : [0, .5, 1]).map((share) => [h("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share * top), y2: y(share * top) }),
    h("text", { x: LEFT - 6, y: y(share * top) + 4, "text-anchor": "end" }, written(share * top))]);
  const acrosses = [0, .5, 1].map((share) => h("text", { x: x(from + share * (to - from)), y: HEIGHT - 7, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" }, clock(from + share * (to - from))));
  const lines = drawn.map((one, index) => h("path", { class: `line line-${index % 8}`,
    d: one.times.map((ms, at) => `${at ? "L" : "M"}${x(ms).toFixed(1)} ${y(one.values[at]).toFixed(1)}`).join("") }));
  const last = drawn.map((one) => `${one.name} ${written(one.values.at(-1))}`).join(", ");
  return h("figure", { class: "curves" }, heading,
    h("svg", { class: "curve", role: "img", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-label": `${title}. Now: ${last}` }, ups, acrosses, lines),
    h("ul", { class: "legend" }, drawn.map((one, index) => h("li", {}, h("span", { class: `swatch c${index % 8}` }), `${one.name}: ${written(one.values.at(-1))}`))));
}

const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
