// References to objects, the largest first, and what the stores hold.
import { get } from "../api.js";
import { h, refill } from "../dom.js";
import { bytes, ends } from "../format.js";
import { listing } from "../listing.js";
import { bar, section, table } from "../parts.js";

export default function objects(page) {
  const stores = h("div");
  page.repeat(async () => {
    const { summary } = await get("/nodes", { view: "summary" }, page.signal);
    refill(stores, table("Stores", [
      { label: "Node", cell: (one) => one.hostname },
      { label: "In memory", cell: (one) => bar(one.object_store.used_bytes ?? 0, one.object_store.capacity ?? 0, "memory") },
      { label: "On disk", number: true, cell: (one) => bytes(one.object_store.bytes_on_disk) },
      { label: "Spilled so far", number: true, cell: (one) => bytes(one.object_store.bytes_spilled) },
      { label: "Read back so far", number: true, cell: (one) => bytes(one.object_store.bytes_restored) },
      { label: "Objects", number: true, cell: (one) => String(one.object_store.objects ?? "") },
    ], summary.filter((one) => one.alive), "There are no stores."));
  });
  return [section("Stores", stores), section("References", listing({
    noun: "objects", caption: "References to objects, the largest first", order: "-object_size", empty: "No reference passes these filters.",
    filters: [
      { key: "reference_type", label: "Kind", words: ["ACTOR_HANDLE", "PINNED_IN_MEMORY", "LOCAL_REFERENCE", "USED_BY_PENDING_TASK", "CAPTURED_IN_OBJECT"] },
      { key: "object_id", label: "Id" },
    ],
    columns: [
      { label: "Object", cell: (one) => h("code", {}, ends(one.object_id)) },
      { label: "Size", number: true, cell: (one) => bytes(one.object_size) },
      { label: "Kind", cell: (one) => one.reference_type.toLowerCase().replaceAll("_", " ") },
      { label: "Its task", cell: (one) => one.task_status.toLowerCase().replaceAll("_", " ") },
      { label: "Held by", cell: (one) => `${one.type.toLowerCase()} ${one.pid}` },
      { label: "At", cell: (one) => one.ip },
    ],
  }, page))];
}
