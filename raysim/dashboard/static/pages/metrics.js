// What each node noted of itself, over time.
import { get } from "../api.js";
import { curves } from "../curves.js";
import { h, refill } from "../dom.js";
import { bytes, count, percent } from "../format.js";
import { problem } from "../parts.js";

const SPANS = { 600: "10 minutes", 3600: "an hour", 21600: "six hours", 43200: "twelve hours" };

const CURVES = [
  ["Processors busy", "cpu", percent, 1],
  ["Memory in use", "memory_used", bytes, "memory_total"],
  ["CPUs of tasks and actors", (node) => node.used.map((one) => one.CPU ?? 0), (n) => count(Math.round(n * 10) / 10)],
  ["Calls that wait for resources", "queued", (n) => count(Math.round(n * 10) / 10)],
  ["Object store", "store_used", bytes, "store_capacity"],
  ["Objects on disk", "on_disk", bytes],
  ["Spilled so far", "spilled", bytes],
  ["Network: received", (node) => speed(node, "received"), (n) => `${bytes(n)}/s`],
  ["Network: sent", (node) => speed(node, "sent"), (n) => `${bytes(n)}/s`],
  ["Objects from other nodes", (node) => speed(node, "pulled"), (n) => `${bytes(n)}/s`],
  ["Workers ended for memory", "evicted", (n) => count(Math.round(n * 10) / 10)],
  ["Worker processes", "workers", (n) => count(Math.round(n * 10) / 10)],
];

export default function metrics(page) {
  const place = h("div", { class: "figures" });
  const seconds = page.query.seconds ?? "3600";
  page.repeat(async () => {
    try {
      const { nodes } = await get("/api/history", { seconds }, page.signal);
      nodes.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
      refill(place, nodes.length ? CURVES.map((one) => draw(one, nodes)) : h("p", { class: "quiet" }, "No node has noted anything yet."));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  });
  const field = h("select", { name: "seconds", onchange: (event) => page.go({ seconds: event.currentTarget.value }) },
    Object.entries(SPANS).map(([value, words]) => h("option", { value, selected: value === seconds }, words)));
  return [h("div", { class: "filters" }, h("label", {}, "Over", field)), place];
}

function draw([title, column, written, most], nodes) {
  const series = nodes.map((node) => ({ name: node.name, times: node.time_ms, values: typeof column === "string" ? node[column] : column(node) }));
  const top = typeof most === "string" ? Math.max(...nodes.flatMap((node) => node[most])) : most;
  return curves(title, series, written, top);
}

// Of a figure that only grows, how fast, in bytes a second; a node that began anew begins at 0.
const speed = (node, column) => node[column].map((value, at) => (at ? Math.max(0, value - node[column][at - 1]) / Math.max(1, (node.time_ms[at] - node.time_ms[at - 1]) / 1000) : 0));
