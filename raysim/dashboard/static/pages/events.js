// What happened to nodes, jobs, workers and actors.
import { listing } from "../listing.js";
import { moment } from "../format.js";
import { state } from "../parts.js";

const fields = (given) => Object.entries(given ?? {}).map(([name, value]) => `${name} ${String(value).slice(0, 12)}`).join(", ");

export default (page) => listing({
  noun: "cluster_events", caption: "Events, the newest first", order: "-event_id", empty: "Nothing has happened.",
  filters: [{ key: "severity", label: "Severity", words: ["INFO", "WARNING", "ERROR"] }],
  columns: [
    { label: "When", cell: (one) => moment(one.time) },
    { label: "Severity", cell: (one) => state(one.severity) },
    { label: "Said by", cell: (one) => one.source_type.toLowerCase().replaceAll("_", " ") },
    { label: "Message", text: true, cell: (one) => one.message },
    { label: "Of", cell: (one) => fields(one.custom_fields) },
  ],
}, page);
