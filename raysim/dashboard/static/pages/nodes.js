// The machines of the cluster: what each has, and how much of it is busy.
import { get } from "../api.js";
import { h, link, refill } from "../dom.js";
import { bytes, count, moment, percent, short } from "../format.js";
import { bar, problem, state, table } from "../parts.js";

export default function nodes(page) {
  const place = h("div");
  page.repeat(async () => {
    try {
      const { summary } = await get("/nodes", { view: "summary" }, page.signal);
      refill(place, draw(summary, page.about.kind === "run"));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  });
  return place;
}

function draw(rows, past) {
  const columns = [
    { label: "Node", cell: (one) => [one.hostname, one.is_head ? h("small", {}, " head") : null] },
    { label: "State", cell: (one) => state(one.alive ? "ALIVE" : "DEAD") },
    { label: "CPUs", cell: (one) => (one.sample && one.alive ? bar(one.sample.used.CPU ?? 0, one.resources_total.CPU ?? 0, "CPU") : String(one.resources_total.CPU ?? "")) },
  ];
  const live = [
    { label: "Logs", cell: (one) => link(`#/logs?node_id=${one.node_id}`, "logs") },
    { label: "Busy", number: true, cell: (one) => (one.sample && one.alive ? percent(one.sample.cpu) : "") },
    { label: "Memory", cell: (one) => (one.sample && one.alive ? [bar(one.sample.memory_used, one.sample.memory_total, "memory"), trend(one), ended(one)] : "") },
    { label: "Object store", cell: (one) => [bar(one.object_store.used_bytes ?? 0, one.object_store.capacity ?? 0, "memory"), spilled(one.object_store.bytes_on_disk)] },
    { label: "Address", cell: (one) => one.ip },
    { label: "Id", cell: (one) => h("code", {}, short(one.node_id)) },
    { label: "Since", cell: (one) => moment(one.start_time_ms) },
  ];
  const why = { label: "Why it ended", cell: (one) => one.state_message ?? (one.alive ? "" : `at ${moment(one.end_time_ms)}`) };
  return table("Nodes", [...columns, ...(past ? [] : live), ...(rows.every((one) => one.alive) ? [] : [why])], rows, "There are no nodes.");
}

// Bytes a minute, once there is a minute of samples, whose place is kept until then; in red where memory is full within the hour.
function trend(one) {
  if (one.memory_trend === null) return h("small", { class: "trend" }, "\u00a0");
  const said = `${one.memory_trend < 0 ? "−" : "+"}${bytes(Math.abs(one.memory_trend))}/min`;
  return one.memory_full_in === null ? h("small", { class: "trend" }, said)
    : h("small", { class: "trend bad" }, `${said}: full in ${Math.round(one.memory_full_in)} min`);
}

// The events say which, and why.
const ended = (one) => (one.sample.evicted ? h("small", { class: "trend" }, link("#/events?severity=WARNING", `${count(one.sample.evicted)} ended for it`)) : null);

const spilled = (size) => (size ? h("small", { class: "trend" }, `${bytes(size)} on disk`) : null);
