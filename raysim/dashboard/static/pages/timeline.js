// What ran when and where: the picture of the reports, of the tasks that are still known.
import { get } from "../api.js";
import { h, link } from "../dom.js";
import { problem } from "../parts.js";

export default function timeline(page) {
  const place = h("div", { id: "timeline" });
  page.wait(draw(place, page).catch((error) => { if (error.name !== "AbortError") place.replaceChildren(problem(error)); }));
  return [place];
}

async function draw(place, page) {
  const [data, markup] = await Promise.all([
    get("/api/chart", {}, page.signal),
    fetch("/static/timeline.html", { signal: page.signal }).then((answer) => answer.text()),
  ]);
  if (!data.count) {
    place.replaceChildren(h("p", { class: "quiet" }, "Nothing has run yet."));
  } else {
    place.innerHTML = markup; // Ours, without a word of anybody else.
    document.getElementById("scroll").style.setProperty("--height", `${data.height}px`);
    const odd = Object.keys(data.odd).length;
    place.querySelector(".legend").replaceChildren(
      ...data.names.slice(0, data.colours).map((name, index) => h("li", {}, h("span", { class: `swatch c${index}` }), name)),
      ...(odd ? [h("li", {}, h("span", { class: "swatch lost" }), "failed")] : []));
    await drawTimeline(data, page.signal);
    place.append(h("p", { class: "quiet" }, "The same for Perfetto: ", link("/timeline?download=1", "timeline.json"), "."));
  }
}
