// Elements out of what they are made of: h("td", { class: "number" }, "3"). Text is text: never markup.

export function h(tag, given = {}, ...children) {
  const svg = SVG.has(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) made.style.setProperty(key, one);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = new Set(["svg", "path", "line", "text", "g", "circle"]);

// New content, unless the reader is in the middle of something there.
export function refill(place, ...children) {
  const chosen = getSelection();
  const reading = !chosen.isCollapsed && place.contains(chosen.anchorNode);
  if (reading || (place.contains(document.activeElement) && place.childElementCount)) return false;
  place.replaceChildren(...children.flat(9).filter(Boolean));
  return true;
}

export const link = (to, ...children) => h("a", { href: to }, ...children);
