// Tasks: progress by name as it goes, and the rows that pass the filters, the newest first.
import { get, live } from "../api.js";
import { h, link, refill } from "../dom.js";
import { between, firstLine, moment, short } from "../format.js";
import { listing } from "../listing.js";
import { node } from "../names.js";
import { problem, progress, section, state } from "../parts.js";

const STATES = ["PENDING_ARGS_AVAIL", "PENDING_NODE_ASSIGNMENT", "SUBMITTED_TO_WORKER", "RUNNING", "FINISHED", "FAILED"];

export default function tasks(page) {
  const place = h("div");
  const show = (data) => refill(place, progress(data.progress ?? data));
  const fail = (message) => refill(place, problem(message));
  if (page.about.kind === "run") page.repeat(() => get("/api/v0/tasks/summarize", {}, page.signal).then(show, fail));
  else page.wait(new Promise((done) => { live("/api/tasks/live", { limit: 0 }, page.signal, (data) => { show(data); done(); }, (message) => { fail(message); done(); }); }));
  return [section("Progress", place), section("Attempts", listing({
    noun: "tasks", caption: "Tasks, the newest first", order: "-creation_time_ms", empty: "No task passes these filters.",
    nodes: (one) => [one.node_id],
    filters: [
      { key: "state", label: "State", words: STATES },
      { key: "name", label: "Name" }, { key: "job_id", label: "Job" }, { key: "node_id", label: "Node" }, { key: "actor_id", label: "Actor" },
    ],
    columns: [
      { label: "Task", cell: (one) => link(`#/tasks/${one.task_id}`, one.name || short(one.task_id)) },
      { label: "State", cell: (one) => state(one.state) },
      { label: "Attempt", number: true, cell: (one) => String(one.attempt_number) },
      { label: "Submitted", cell: (one) => moment(one.creation_time_ms) },
      { label: "Took", number: true, cell: (one) => between(one.start_time_ms, one.end_time_ms) },
      { label: "Node", cell: (one) => node(one.node_id) },
      { label: "Error", cell: (one) => h("code", {}, firstLine(one.error_message) || one.error_type || "") },
    ],
  }, page))];
}
