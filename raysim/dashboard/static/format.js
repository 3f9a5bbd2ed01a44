// Numbers, sizes and times as people read them.

export function bytes(n) {
  if (n === null || n === undefined || n < 0) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at++; }
  return `${at && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

export const count = (n) => (n ?? 0).toLocaleString("en");
export const percent = (share) => `${Math.round(100 * share)} %`;
export const short = (id) => (id ?? "").slice(0, 12);
// Of an object: its first digits are those of its task, which several may share.
export const ends = (id) => `${id.slice(0, 8)}…${id.slice(-8)}`;
export const quantity = (name, n) => (name.endsWith("memory") ? bytes(n) : count(Math.round(n * 100) / 100));

export function seconds(s) {
  if (s >= 3600) return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}m`;
  if (s >= 60) return `${Math.floor(s / 60)}m${String(Math.floor(s % 60)).padStart(2, "0")}s`;
  if (s >= 1) return `${+s.toPrecision(3)} s`;
  return `${Math.round(s * 1000)} ms`;
}

// Of a cluster, the time of day; of a run, seconds from its start.
let virtual = false;
export const setVirtual = (is) => { virtual = is; };

export function moment(ms) {
  if (ms === null || ms === undefined || ms === "" || (!virtual && !Number(ms))) return "";
  if (virtual) return seconds(Number(ms) / 1000);
  const date = new Date(Number(ms));
  const today = new Date().toDateString() === date.toDateString();
  const time = date.toLocaleTimeString("en-GB");
  return today ? time : `${date.toISOString().slice(0, 10)} ${time}`;
}

const known = (ms) => virtual ? ms !== null && ms !== undefined : ms > 0;
export const between = (from, to) => (known(from) && known(to) ? seconds(Math.max(0, to - from) / 1000) : "");
export const firstLine = (text) => {
  const lines = (text ?? "").trim().split("\n");
  return lines[lines.length - 1] ?? "";
};
