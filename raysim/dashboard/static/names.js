// What nodes are called: rows know their ids. Never asks more often than every ten seconds.
import { get } from "./api.js";
import { h } from "./dom.js";
import { short } from "./format.js";

const AGAIN_MS = 10_000;

const names = new Map();
let asked = -AGAIN_MS;

export function learn(nodes) {
  for (const one of nodes) names.set(one.node_id, one.hostname);
}

// Before rows are drawn with these ids; of a cluster that does not answer they keep their ids.
export async function nameNodes(ids, signal) {
  if (!ids.some((id) => id && !names.has(id)) || performance.now() - asked < AGAIN_MS) return;
  asked = performance.now();
  learn((await get("/nodes", { view: "summary" }, signal)).summary);
}

export const nameOf = (id) => names.get(id) ?? short(id);
export const node = (id) => (id ? h("span", { title: id }, nameOf(id)) : "");
