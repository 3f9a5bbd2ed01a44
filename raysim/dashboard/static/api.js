// Questions to the server, at the moment of a run that is looked at. Never draws an answer.

let at = null;
export const setMoment = (s) => { at = s; };
export const theMoment = () => at;

function url(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== "") asked.append(name, one);
  if (at !== null) asked.set("at", at);
  return `${path}?${asked}`;
}

export async function get(path, query, signal) {
  const answer = await fetch(url(path, query), { signal });
  if (answer.status === 401) { location.href = "/login"; throw new Error("The session is over."); }
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.msg);
  return said.data;
}

export async function text(path, query, signal) {
  const answer = await fetch(url(path, query), { signal });
  if (answer.ok) return answer.text();
  throw new Error((await answer.json()).msg);
}

// Lines of a log as they come, until the signal.
export async function follow(path, query, signal, add) {
  const answer = await fetch(url(path, query), { signal });
  if (!answer.ok) throw new Error((await answer.json()).msg);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    add(value);
  }
}

export function live(path, query, signal, show, fail) {
  const source = new EventSource(url(path, query));
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.addEventListener("problem", (event) => fail(JSON.parse(event.data).msg));
  source.onerror = () => fail("The connection is lost; trying again.");
  signal.addEventListener("abort", () => source.close());
}

// Filters as the API takes them: { state: "FAILED", "name!": "f" }.
export function filters(wanted) {
  const found = Object.entries(wanted).filter(([, value]) => value !== "" && value !== undefined);
  return {
    filter_keys: found.map(([key]) => key.replace("!", "")),
    filter_predicates: found.map(([key]) => (key.endsWith("!") ? "!=" : "=")),
    filter_values: found.map(([, value]) => value),
  };
}
