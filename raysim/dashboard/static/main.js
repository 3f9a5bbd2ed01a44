// Which page is shown, and what goes with all of them: navigation, light and dark, the moment of a run.
import { get, setMoment } from "./api.js";
import { h, link } from "./dom.js";
import { seconds, setVirtual } from "./format.js";
import { problem } from "./parts.js";

const EVERY_MS = 3000;
const PATIENCE_MS = 1500; // Until what is there is shown, though something is not.

const PAGES = [
  ["overview", "Overview"], ["nodes", "Nodes"], ["jobs", "Jobs"], ["tasks", "Tasks"], ["actors", "Actors"],
  ["objects", "Objects"], ["placement_groups", "Placement groups"], ["timeline", "Timeline"], ["logs", "Logs"],
  ["events", "Events"], ["metrics", "Metrics"],
];
const OF_A_RUN = ["overview", "nodes", "tasks", "timeline", "events"];

const $ = (id) => document.getElementById(id);
let about = { kind: "cluster" }, shown = null;

function where() {
  const [path, query] = location.hash.replace(/^#\//, "").split("?");
  const [name, id] = path.split("/");
  const known = PAGES.some(([one]) => one === name);
  return { name: known ? name : "overview", id: id && decodeURIComponent(id), query: Object.fromEntries(new URLSearchParams(query)) };
}

async function show() {
  if (!/^#\//.test(location.hash) && location.hash) return; // The skip link.
  shown?.abort();
  const controller = shown = new AbortController();
  const { name, id, query } = where();
  const heading = PAGES.find(([one]) => one === name)[1];
  const title = id ? `${heading.replace(/s$/, "")} ${id.slice(0, 12)}` : heading;
  document.title = `${title} · raysim`;
  for (const one of $("pages").querySelectorAll("a")) {
    const here = one.getAttribute("href") === `#/${name}`;
    if (here) one.setAttribute("aria-current", "page"); else one.removeAttribute("aria-current");
    const row = one.closest("ul"); // Its scrollIntoView would have the Tab key begin here, past the skip link.
    if (here) row.scrollLeft = one.offsetLeft - row.offsetLeft - (row.clientWidth - one.offsetWidth) / 2;
  }
  const { default: make } = await import(`./pages/${id ? name.replace(/s$/, "") : name}.js`);
  if (controller.signal.aborted) return;
  const first = [];
  const page = {
    id, query, about, signal: controller.signal, go,
    wait: (promise) => first.push(promise),
    repeat: (what) => first.push(repeat(what, controller.signal)),
  };
  delete document.documentElement.dataset.drawn;
  $("main").classList.add("loading"); // Parts that come one after another would push each other about.
  try {
    $("main").replaceChildren(h("h1", {}, title), ...[make(page)].flat(9).filter(Boolean));
  } catch (error) {
    $("main").replaceChildren(h("h1", {}, title), problem(error));
  }
  const drawn = Promise.allSettled(first);
  await Promise.race([drawn, pause(PATIENCE_MS)]);
  if (controller.signal.aborted) return;
  $("main").classList.remove("loading");
  drawn.then(() => { if (!controller.signal.aborted) document.documentElement.dataset.drawn = "yes"; });
}

const pause = (ms) => new Promise((go) => { setTimeout(go, ms); });

// The same page with another query.
function go(changes) {
  const { name, query } = where();
  const next = new URLSearchParams(Object.entries({ ...query, ...changes }).filter(([, value]) => value !== ""));
  location.hash = `#/${name}${next.size ? `?${next}` : ""}`;
}

// Now, and again while the page is seen. A run that is over does not change. Ends after the first time.
async function repeat(what, signal) {
  await what();
  const again = async () => {
    while (!signal.aborted) {
      await pause(EVERY_MS);
      if (!document.hidden && !signal.aborted) await what();
    }
  };
  if (about.kind !== "run") again();
}

function navigate() {
  const pages = about.kind === "run" ? PAGES.filter(([name]) => OF_A_RUN.includes(name)) : PAGES;
  $("pages").replaceChildren(h("ul", {}, pages.map(([name, title]) => h("li", {}, link(`#/${name}`, title)))));
}

function scrubber() {
  const place = $("scrub"), end = about.end_s || 1;
  const said = h("output", { for: "moment" }, seconds(end));
  const input = h("input", { id: "moment", type: "range", min: 0, max: end, step: end / 1000, value: end, oninput: () => { said.textContent = seconds(Number(input.value)); }, onchange: () => to(Number(input.value)) });
  const to = (s) => { input.value = s; said.textContent = seconds(s); setMoment(s); show(); };
  const marks = about.marks.filter(([, kind]) => kind === "fault" || kind === "node lost");
  place.replaceChildren(h("label", { for: "moment" }, "Moment"), input, said,
    h("span", { class: "marks" }, marks.slice(0, 12).map(([s, kind, text]) => h("button", { type: "button", title: text, onclick: () => to(s) }, `${kind} at ${seconds(s)}`))));
  place.hidden = false;
}

function themes() {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const tell = () => $("theme").setAttribute("aria-pressed", String(dark()));
  $("theme").addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    tell();
    dispatchEvent(new Event("resize")); // What is painted with colours is painted again.
  });
  tell();
}

themes();
try {
  about = await get("/api/about");
  setVirtual(about.kind === "run");
  $("what").textContent = about.kind === "run" ? `run ${about.name}` : about.name;
} catch (error) {
  $("state").textContent = error.message;
}
navigate();
if (about.kind === "run") scrubber();
addEventListener("hashchange", () => show().then(() => $("main").focus({ preventScroll: true })));
await show();
