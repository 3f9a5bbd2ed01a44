// What nodes and workers write: choose a node and a file, and follow it.
import { follow, get } from "../api.js";
import { h, link, refill } from "../dom.js";
import { problem, section } from "../parts.js";

const MOST = 200_000;

const KINDS = { worker_out: "What workers print", worker_err: "Their standard error", raylet: "The node itself", internal: "The cluster and the rest" };

export default function logs(page) {
  const files = h("div"), content = h("div");
  page.wait(choose(files, page).catch((error) => { if (error.name !== "AbortError") refill(files, problem(error)); }));
  const { node_id, filename, pid } = page.query;
  if (node_id && (filename || pid)) read(content, { node_id, filename, pid }, page.signal);
  return [section("Files", files), node_id && (filename || pid) ? section(filename ?? `Worker ${pid}`, content) : null];
}

async function choose(place, page) {
  const { summary } = await get("/nodes", { view: "summary" }, page.signal);
  const chosen = page.query.node_id ?? summary.find((one) => one.alive)?.node_id;
  const ask = (event) => page.go({ node_id: event.currentTarget.value, filename: "", pid: "" });
  const select = h("select", { name: "node_id", onchange: ask }, summary.map((one) => h("option", { value: one.node_id, selected: one.node_id === chosen }, `${one.hostname}${one.alive ? "" : " (gone)"}`)));
  const { result } = await get("/api/v0/logs", { node_id: chosen }, page.signal);
  const first = ["worker_out", "worker_err", "raylet"];
  const rank = ([kind]) => (first.indexOf(kind) + 1) || first.length + 1;
  const kinds = Object.entries(result).sort((a, b) => rank(a) - rank(b)).map(([kind, names]) => h("li", {}, h("strong", {}, KINDS[kind] ?? kind.replaceAll("_", " ")), h("ul", {}, names.map((name) =>
    h("li", {}, link(`#/logs?node_id=${chosen}&filename=${encodeURIComponent(name)}`, name.replace(/^node-[0-9a-f]{12}\//, "").replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1…")))))));
  refill(place, h("div", { class: "filters" }, h("label", {}, "Node", select)), kinds.length ? h("ul", { class: "files" }, kinds) : h("p", { class: "quiet" }, "This node has no log files, or is gone with them."));
}

function read(place, asked, signal) {
  const shown = h("pre", { class: "log", tabindex: "0", role: "log", "aria-label": "Log" });
  place.replaceChildren(shown);
  const add = (part) => {
    const atEnd = shown.scrollHeight - shown.scrollTop - shown.clientHeight < 40;
    shown.append(part);
    if (shown.textContent.length > MOST) shown.textContent = shown.textContent.slice(-MOST / 2);
    if (atEnd) shown.scrollTop = shown.scrollHeight;
  };
  follow("/api/v0/logs/stream", { ...asked, lines: 1000, filter_ansi_code: true }, signal, add)
    .catch((error) => { if (error.name !== "AbortError") place.append(problem(error)); });
}
