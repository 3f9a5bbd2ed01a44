// Programs that are connected, or were.
import { h, link } from "../dom.js";
import { between, moment } from "../format.js";
import { listing } from "../listing.js";
import { bar, state } from "../parts.js";

export default (page) => listing({
  noun: "jobs", caption: "Jobs", order: "-start_time", empty: "No program is connected, or was.",
  filters: [{ key: "status", label: "Status", words: ["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED"] }],
  columns: [
    { label: "Job", cell: (one) => link(`#/tasks?job_id=${one.job_id}`, one.submission_id ?? one.job_id) },
    { label: "Status", cell: (one) => state(one.status) },
    { label: "Program", cell: (one) => h("code", {}, one.entrypoint) },
    { label: "Priority", number: true, cell: (one) => (one.priority ? String(one.priority) : "") },
    { label: "Quota", cell: (one) => Object.entries(one.quota ?? {}).map(([name, most]) => h("div", {}, h("small", {}, name), bar(one.quota_used?.[name] ?? 0, most, name))) },
    { label: "Began", cell: (one) => moment(one.start_time) },
    { label: "Took", number: true, cell: (one) => between(one.start_time, one.end_time) },
    { label: "Message", cell: (one) => one.message ?? "" },
  ],
}, page);
