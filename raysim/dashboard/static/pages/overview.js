// What is there, what of it is used, and what went wrong: that first.
import { get } from "../api.js";
import { h, link, refill } from "../dom.js";
import { count, firstLine, moment, quantity, short } from "../format.js";
import { bar, problem, progress, section, state, table, tiles } from "../parts.js";

export default function overview(page) {
  const place = h("div");
  page.repeat(async () => {
    try {
      const data = await get("/api/overview", {}, page.signal);
      refill(place, draw(data));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  });
  return place;
}

function draw({ nodes, resources, failed, progress: summary, actors, events, jobs }) {
  const alive = nodes.filter((node) => node.alive).length;
  const lost = nodes.length - alive;
  const states = {};
  for (const group of Object.values(summary.result.node_id_to_summary.cluster.summary))
    for (const [word, n] of Object.entries(group.state_counts)) states[word] = (states[word] ?? 0) + n;
  const waiting = Object.entries(states).reduce((sum, [word, n]) => sum + (["FINISHED", "RUNNING", "FAILED"].includes(word) ? 0 : n), 0);
  const cpu = resources.CPU ?? { used: 0, total: 0 };
  return [
    tiles(
      ["Nodes", count(alive), lost ? `${count(lost)} lost` : "all alive", lost > 0],
      ["CPUs in use", `${quantity("", cpu.used)} of ${quantity("", cpu.total)}`],
      ["Tasks running", count(states.RUNNING), `${count(waiting)} waiting`],
      ["Tasks finished", count(states.FINISHED)],
      ["Tasks failed", count(states.FAILED), failed.total ? "see below" : "none", failed.total > 0],
      ["Actors", count(actors.total)],
      ["Jobs", count(jobs.total)],
    ),
    section("Failing tasks", failedTasks(failed, nodes)),
    section("Progress", progress(summary, 10)),
    section("Resources", table("Resources", [
      { label: "Resource", cell: ([name]) => name },
      { label: "In use", cell: ([name, one]) => bar(one.used, one.total, name) },
    ], Object.entries(resources), "None.")),
    section("What happened", table("Events", [
      { label: "When", cell: (one) => moment(one.time) },
      { label: "Severity", cell: (one) => state(one.severity) },
      { label: "Message", text: true, cell: (one) => one.message },
    ], events.result, "Nothing went wrong so far.")),
  ];
}

function failedTasks(failed, nodes) {
  const names = Object.fromEntries(nodes.map((node) => [node.node_id, node.hostname]));
  const more = failed.total > failed.result.length;
  return [table("Failing tasks", [
    { label: "Task", cell: (one) => link(`#/tasks/${one.task_id}`, one.name || short(one.task_id)) },
    { label: "Error", text: true, cell: (one) => h("code", {}, firstLine(one.error_message) || one.error_type || "") },
    { label: "When", cell: (one) => moment(one.end_time_ms) },
    { label: "Node", cell: (one) => names[one.node_id] ?? short(one.node_id) },
  ], failed.result, "No task has failed."), more ? h("p", {}, link("#/tasks?state=FAILED", `All ${count(failed.total)} that failed`)) : null];
}
