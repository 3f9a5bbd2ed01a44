// One actor: what it is, and why it waits or is gone.
import { filters, get } from "../api.js";
import { h, link, refill } from "../dom.js";
import { nameNodes, nameOf } from "../names.js";
import { because, facts, problem, section, state } from "../parts.js";

export default function actor(page) {
  const place = h("div"), reason = h("div");
  page.repeat(() => because(page, reason));
  page.repeat(async () => {
    try {
      const { result } = await get("/api/v0/actors", { ...filters({ actor_id: page.id }), detail: true }, page.signal);
      await nameNodes(result.map((one) => one.node_id), page.signal);
      refill(place, result.length ? draw(result[0]) : h("p", { class: "quiet" }, "Nobody knows this actor any more."));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  });
  return [place, section("Why", reason)];
}

const draw = (one) => facts(["Class", one.class_name], ["Name", one.name], ["State", state(one.state)], ["Restarts", String(one.num_restarts ?? 0)],
  ["Node", one.node_id && link(`#/logs?node_id=${one.node_id}`, nameOf(one.node_id))], ["Worker", one.pid ? link(`#/logs?node_id=${one.node_id}&pid=${one.pid}`, `pid ${one.pid}`) : ""],
  ["Tasks", link(`#/tasks?actor_id=${one.actor_id}`, "its calls")], ["Job", link(`#/tasks?job_id=${one.job_id}`, one.job_id)], ["Id", h("code", {}, one.actor_id)]);
