"""What is asked of every page: that one can read it, name it, and that nothing moves. Expressions for a browser."""

CONTRAST = r"""
(() => {
  const channel = (c) => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = (rgb) => .2126 * channel(rgb[0]) + .7152 * channel(rgb[1]) + .0722 * channel(rgb[2]);
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, style = getComputedStyle(element);
    if (!texts.currentNode.data.trim() || !element.getClientRects().length || element.disabled) continue;
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(`${texts.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
})()
"""
"""Texts of less than WCAG 2.1's 4.5 to 1."""

NAMELESS = """
[...document.querySelectorAll("button, svg, canvas, [tabindex], [role=group], [role=region]")]
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.outerHTML.slice(0, 120))
"""

SHIFTS = """
new Promise((tell) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => tell(sum), 0)));
})
"""

LABELLESS = """
(() => {
  const all = (what) => [...document.querySelectorAll(what)];
  return [
    ...all("input, select, textarea").filter((e) => !e.labels.length && !e.getAttribute("aria-label")),
    ...all("a").filter((e) => !e.textContent.trim()),
    ...all("table").filter((e) => !e.querySelector("th")),
  ].map((e) => e.outerHTML.slice(0, 120));
})()
"""
"""Fields without a label, links without words, tables without headings."""
