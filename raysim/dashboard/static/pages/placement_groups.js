// Placement groups and where their bundles are.
import { h } from "../dom.js";
import { short } from "../format.js";
import { listing } from "../listing.js";
import { nameOf } from "../names.js";
import { state } from "../parts.js";

const bundle = (one) => `${Object.entries(one.unit_resources ?? {}).map(([name, n]) => `${name} ${n}`).join(", ")}${one.node_id ? ` on ${nameOf(one.node_id)}` : " nowhere yet"}`;

export default (page) => listing({
  noun: "placement_groups", caption: "Placement groups", order: "state", empty: "There are no placement groups.",
  nodes: (one) => (one.bundles ?? []).map((part) => part.node_id),
  filters: [{ key: "state", label: "State", words: ["PENDING", "PREPARED", "CREATED", "REMOVED", "RESCHEDULING"] }, { key: "name", label: "Name" }],
  columns: [
    { label: "Group", cell: (one) => one.name || h("code", {}, short(one.placement_group_id)) },
    { label: "State", cell: (one) => state(one.state) },
    { label: "Bundles", cell: (one) => h("ul", { class: "plain" }, (one.bundles ?? []).map((part) => h("li", {}, bundle(part)))) },
    { label: "Scheduling", cell: (one) => (one.stats?.scheduling_state ?? "").toLowerCase().replaceAll("_", " ") },
    { label: "Job", cell: (one) => one.creator_job_id },
  ],
}, page);
