// A page of rows that the server filters, sorts and cuts: the browser never holds more than it shows.
import { filters, get } from "./api.js";
import { h, refill } from "./dom.js";
import { count } from "./format.js";
import { nameNodes } from "./names.js";
import { problem, table } from "./parts.js";

const ROWS = 50;

// what: { noun, caption, columns, filters: [{ key, label, words }], order, empty, nodes(row): ids that are shown by name }; page: where one is (main.js).
export function listing(what, page) {
  const place = h("div", { class: "listing" });
  const said = h("p", { class: "quiet", role: "status" });
  const offset = Number(page.query.offset ?? 0);
  const wanted = Object.fromEntries(what.filters.map((one) => [one.key, page.query[one.key] ?? ""]));
  const show = async () => {
    try {
      const data = await get(`/api/v0/${what.noun}`, { ...filters(wanted), limit: ROWS, offset, order: what.order, detail: true }, page.signal);
      await nameNodes(what.nodes ? data.result.flatMap(what.nodes) : [], page.signal);
      said.textContent = words(data, offset);
      refill(place, table(what.caption, what.columns, data.result, what.empty), pages(page, offset, data));
    } catch (error) {
      if (error.name !== "AbortError") refill(place, problem(error));
    }
  };
  page.repeat(show);
  return [form(what.filters, wanted, page), said, place];
}

function words(data, offset) {
  const many = data.total > data.result.length ? `${count(offset + 1)} to ${count(offset + data.result.length)} of ` : "";
  return `${many}${count(data.total)} in all. ${data.partial_failure_warning}`;
}

function pages(page, offset, data) {
  if (data.total <= ROWS) return null;
  const go = (to) => () => page.go({ offset: to || "" });
  return h("div", { class: "controls", role: "group", "aria-label": "Rows" },
    h("button", { type: "button", disabled: offset === 0, onclick: go(Math.max(0, offset - ROWS)) }, "Previous"),
    h("button", { type: "button", disabled: offset + ROWS >= data.total, onclick: go(offset + ROWS) }, "Next"));
}

export function form(given, wanted, page) {
  const ask = (event) => {
    event.preventDefault();
    page.go({ ...Object.fromEntries(new FormData(event.currentTarget)), offset: "" });
  };
  const field = (one) => h("label", {}, one.label, one.words
    ? h("select", { name: one.key, onchange: (event) => event.currentTarget.form.requestSubmit() },
      h("option", { value: "" }, "any"), one.words.map((word) => h("option", { value: word, selected: wanted[one.key] === word }, word.toLowerCase().replaceAll("_", " "))))
    : h("input", { name: one.key, value: wanted[one.key], spellcheck: "false", autocomplete: "off" }));
  return given.length ? h("form", { class: "filters", onsubmit: ask }, given.map(field), h("button", { type: "submit" }, "Filter")) : null;
}
