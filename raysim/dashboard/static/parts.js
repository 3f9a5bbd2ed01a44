// What several pages are made of: tables, bars, states, tiles, facts.
import { get } from "./api.js";
import { h, link, refill } from "./dom.js";
import { count, quantity } from "./format.js";

const GOOD = ["FINISHED", "ALIVE", "CREATED", "SUCCEEDED"];
const BAD = ["FAILED", "DEAD", "ERROR"];

export function state(word) {
  const kind = GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : "";
  return h("span", { class: `state ${kind}` }, (word ?? "").toLowerCase().replaceAll("_", " "));
}

export function bar(used, total, name) {
  const share = total ? Math.min(1, used / total) : 0;
  const said = `${quantity(name, used)} of ${quantity(name, total)}`;
  return h("span", { class: "bar-cell" },
    h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: `fill ${share > .9 && name.endsWith("memory") ? "full" : ""}`, style: { width: `${100 * share}%` } })),
    h("span", {}, said));
}

// columns: [{ label, cell(row), number, text }]; the first cell is the row's heading.
export function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p", { class: "empty quiet" }, empty);
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map((one) => h("th", { scope: "col", class: one.number ? "number" : "" }, one.label)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map((one, index) =>
        h(index ? "td" : "th", { scope: index ? null : "row", class: one.number ? "number" : one.text ? "text" : "" }, one.cell(row))))))));
}

export const tiles = (...given) => h("dl", { class: "tiles" }, given.filter(Boolean).map(([name, value, note, bad]) =>
  h("div", { class: `tile ${bad ? "bad" : ""}` }, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null))));

export const facts = (...given) => h("dl", { class: "facts" }, given.filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

export const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);

const ORDER = ["FINISHED", "RUNNING", "FAILED"];

// Of tasks by name: what became of them, as a bar and in words; those with failures first.
export function progress(summary, most = 30) {
  const groups = Object.values(summary.result.node_id_to_summary.cluster.summary)
    .map((group) => ({ ...group, total: Object.values(group.state_counts).reduce((a, b) => a + b, 0) }))
    .sort((a, b) => (b.state_counts.FAILED ?? 0) - (a.state_counts.FAILED ?? 0) || b.total - a.total);
  const shown = groups.slice(0, most);
  const left = groups.length - shown.length;
  return [table("Tasks by name", [
    { label: "Name", cell: (one) => link(`#/tasks?name=${encodeURIComponent(one.func_or_class_name)}`, one.func_or_class_name) },
    { label: "Progress", cell: (one) => stacked(one) },
    { label: "Failed", number: true, cell: (one) => failures(one) },
    { label: "Running", number: true, cell: (one) => count(one.state_counts.RUNNING) },
    { label: "Waiting", number: true, cell: (one) => count(one.total - ORDER.reduce((sum, word) => sum + (one.state_counts[word] ?? 0), 0)) },
    { label: "Finished", number: true, cell: (one) => count(one.state_counts.FINISHED) },
  ], shown, "No tasks yet."), left ? h("p", { class: "quiet" }, `${count(left)} more names have fewer tasks.`) : null];
}

const failures = (one) => (one.state_counts.FAILED
  ? link(`#/tasks?state=FAILED&name=${encodeURIComponent(one.func_or_class_name)}`, count(one.state_counts.FAILED)) : "0");

function stacked(one) {
  const parts = ORDER.map((word) => h("span", { class: word.toLowerCase(), style: { width: `${100 * (one.state_counts[word] ?? 0) / one.total}%` } }));
  return h("span", { class: "stacked", role: "img", "aria-label": `${count(one.state_counts.FINISHED)} of ${count(one.total)} finished` }, parts);
}

export const problem = (error) => h("p", { class: "bad", role: "alert" }, error.message ?? String(error));

// Why the thing of the page's id is as it is.
export async function because(page, place) {
  try {
    const { text } = await get(`/api/v0/explain/${encodeURIComponent(page.id)}`, {}, page.signal);
    refill(place, h("pre", { class: "why", tabindex: "0", role: "region", "aria-label": "Why" }, text));
  } catch (error) {
    if (error.name !== "AbortError") refill(place, h("p", { class: "quiet" }, error.message));
  }
}
