// Actors, those that are gone included.
import { link } from "../dom.js";
import { listing } from "../listing.js";
import { node } from "../names.js";
import { state } from "../parts.js";

const why = (death) => death?.actor_died_error_context?.error_message ?? death?.creation_task_failure_context?.formatted_exception_string ?? "";

export default (page) => listing({
  noun: "actors", caption: "Actors", order: "state", empty: "No actor passes these filters.",
  nodes: (one) => [one.node_id],
  filters: [
    { key: "state", label: "State", words: ["DEPENDENCIES_UNREADY", "PENDING_CREATION", "ALIVE", "RESTARTING", "DEAD"] },
    { key: "class_name", label: "Class" }, { key: "name", label: "Name" }, { key: "job_id", label: "Job" },
  ],
  columns: [
    { label: "Actor", cell: (one) => link(`#/actors/${one.actor_id}`, one.name || one.class_name) },
    { label: "State", cell: (one) => state(one.state) },
    { label: "Class", cell: (one) => one.class_name },
    { label: "Restarts", number: true, cell: (one) => String(one.num_restarts ?? 0) },
    { label: "Node", cell: (one) => node(one.node_id) },
    { label: "Pid", number: true, cell: (one) => String(one.pid || "") },
    { label: "Tasks", cell: (one) => link(`#/tasks?actor_id=${one.actor_id}`, "tasks") },
    { label: "Log", cell: (one) => (one.pid ? link(`#/logs?node_id=${one.node_id}&pid=${one.pid}`, "log") : "") },
    { label: "Why it is gone", text: true, cell: (one) => why(one.death_cause) },
  ],
}, page);
