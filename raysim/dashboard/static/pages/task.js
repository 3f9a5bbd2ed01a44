// One task: its attempts, its error, what it printed.
import { filters, get, text } from "../api.js";
import { h, link, refill } from "../dom.js";
import { between, moment } from "../format.js";
import { nameNodes, nameOf } from "../names.js";
import { because, facts, problem, section, state } from "../parts.js";

export default function task(page) {
  const place = h("div"), reason = h("div"), log = h("div");
  page.repeat(() => because(page, reason));
  page.repeat(async () => {
    try {
      const { result } = await get("/api/v0/tasks", { ...filters({ task_id: page.id }), detail: true }, page.signal);
      await nameNodes(result.map((one) => one.node_id), page.signal);
      refill(place, result.length ? result.reverse().map(attempt) : h("p", { class: "quiet" }, "Nobody knows this task any more."));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  });
  if (page.about.kind !== "run") page.repeat(() => print(page, log));
  return [place, section("Why", reason), page.about.kind === "run" ? null : section("What its worker printed", log)];
}

function attempt(one) {
  return section(`Attempt ${one.attempt_number}`,
    facts(["Name", one.name], ["State", state(one.state)], ["Error", one.error_type?.toLowerCase().replaceAll("_", " ")],
      ["Submitted", moment(one.creation_time_ms)], ["Began", moment(one.start_time_ms)], ["Took", between(one.start_time_ms, one.end_time_ms)],
      ["Needs", needs(one.required_resources)],
      ["Node", one.node_id && link(`#/logs?node_id=${one.node_id}`, nameOf(one.node_id))], ["Worker", one.worker_pid && link(`#/logs?node_id=${one.node_id}&pid=${one.worker_pid}`, `pid ${one.worker_pid}`)],
      ["Actor", one.actor_id && link(`#/tasks?actor_id=${one.actor_id}`, one.actor_id.slice(0, 12))],
      ["Job", link(`#/tasks?job_id=${one.job_id}`, one.job_id)], ["Id", h("code", {}, one.task_id)]),
    one.error_message ? h("pre", { class: "error", tabindex: "0", role: "region", "aria-label": "Error" }, one.error_message) : null);
}

const needs = (resources) => Object.entries(resources ?? {}).map(([name, n]) => `${name} ${n}`).join(", ");

async function print(page, place) {
  const found = [];
  for (const suffix of ["err", "out"]) {
    try {
      const said = await text("/api/v0/logs/file", { task_id: page.id, suffix, lines: 200, filter_ansi_code: true }, page.signal);
      if (said.trim()) found.push(h("h3", {}, suffix === "err" ? "Standard error" : "Standard output"), h("pre", { tabindex: "0", role: "region", "aria-label": `Standard ${suffix}` }, said));
    } catch (error) {
      if (error.name === "AbortError") return;
    }
  }
  refill(place, found.length ? found : h("p", { class: "quiet" }, "Nothing."));
}
