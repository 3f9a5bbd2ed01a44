"use strict";
// Draws what raysim/report/timeline.py tells into the place of timeline.html; until `signal` is aborted, if one is given.
async function drawTimeline(data, signal) {
  const $ = (id) => document.getElementById(id);
  const gantt = $("gantt"), scroll = $("scroll"), tip = $("tip"), chart = $("chart");
  const HEAD = 22, GAP = 8, RIGHT = 12, MANY = 20000, MOST_ROWS = 2000;
  const bars = await unpack(data.packed, data.count);
  const nodes = layOut(bars, data.nodes);
  const rows = nodes.reduce((sum, node) => sum + node.rows, 0);
  const ROW = rows > 400 ? 6 : rows > 80 ? 10 : 18;
  const end = data.end || 1;
  let from = 0, to = end, byNode = bars.count > MANY || rows > 400, left = 90, ink = {}, over = -1, drag = null;

  // --- what there is ---

  // The columns that raysim/report/timeline.py packs, one after another.
  async function unpack(text, count) {
    const deflated = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = await new Response(stream).arrayBuffer();
    let at = 0;
    const column = (type) => { const made = new type(bytes, at, count); at += made.byteLength; return made; };
    const ticks = (column) => Float64Array.from(column, (tick) => tick / 4294967295 * (data.end || 1));
    const start = ticks(column(Uint32Array)), length = ticks(column(Uint32Array));
    const cores = column(Float32Array), node = column(Uint16Array), name = column(Uint16Array);
    return { count, start, end: start.map((s, i) => s + length[i]), cores, node, name };
  }

  // Each node's executions in the order of their starts, in the fewest rows in which none overlap.
  function layOut(bars, told) {
    const nodes = told.map((node) => ({ ...node, bars: [], row: [], rows: 1 }));
    for (let i = 0; i < bars.count; i++) nodes[bars.node[i]].bars.push(i);
    for (const node of nodes) {
      node.bars.sort((a, b) => bars.start[a] - bars.start[b] || bars.end[a] - bars.end[b]);
      const free = [], slack = (data.end || 1) * 1e-9;
      for (const i of node.bars) {
        let row = free.findIndex((at) => at <= bars.start[i] + slack);
        if (row < 0) row = Math.min(free.length, MOST_ROWS - 1);
        free[row] = bars.end[i];
        node.row.push(row);
      }
      node.rows = Math.max(1, free.length);
      node.most = node.cpus || node.bars.reduce((most, i) => Math.max(most, bars.cores[i]), 1) * node.rows;
    }
    return nodes;
  }

  const width = () => gantt.clientWidth - left - RIGHT;
  const x = (s) => left + (s - from) / (to - from) * width();
  const at = (px) => from + (px - left) / width() * (to - from);
  const rowHeight = () => byNode ? Math.max(3, Math.min(36, Math.floor((scroll.clientHeight - HEAD - 6) / nodes.length))) : ROW;
  const colour = (name) => name < data.colours ? ink["c" + name] : ink.grey;

  // Where each node begins, in pixels from the top of the whole chart, and how high it is.
  function places() {
    let top = HEAD;
    const row = rowHeight();
    const found = nodes.map((node) => {
      const high = byNode ? row : node.rows * row;
      const place = { top, high };
      top += high + (byNode ? 0 : GAP);
      return place;
    });
    found.total = top + 4;
    return found;
  }

  function seconds(s) {
    if (s >= 3600) return Math.floor(s / 3600) + "h" + String(Math.floor(s % 3600 / 60)).padStart(2, "0") + "m";
    if (s >= 60) return Math.floor(s / 60) + "m" + String(Math.floor(s % 60)).padStart(2, "0") + "s";
    if (s >= 1) return +s.toPrecision(4) + "s";
    if (s >= 1e-3) return +(s * 1e3).toPrecision(3) + "ms";
    return s > 1e-9 ? +(s * 1e6).toPrecision(3) + "µs" : "0s";
  }

  // --- drawing ---

  function readInk() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "quiet", "line", "band", "card", "accent", "lost", "bad", "grey"])
      ink[name] = style.getPropertyValue("--" + name).trim();
    for (let i = 0; i < data.colours; i++) ink["c" + i] = style.getPropertyValue("--c" + i).trim();
    left = parseFloat(style.getPropertyValue("--gutter"));
  }

  function prepare() {
    const ratio = window.devicePixelRatio || 1, high = scroll.clientHeight;
    gantt.style.height = high + "px";
    gantt.width = Math.round(gantt.clientWidth * ratio);
    gantt.height = Math.round(high * ratio);
    const pen = gantt.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    return pen;
  }

  function ticks() {
    const wanted = Math.max(2, Math.floor(width() / 90)), rough = (to - from) / wanted;
    const base = 10 ** Math.floor(Math.log10(rough));
    const steps = rough > 30 ? [60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400] : [1, 2, 5, 10].map((n) => n * base);
    const step = steps.find((s) => s >= rough * 0.999) || 86400 * Math.ceil(rough / 86400);
    const found = [];
    for (let t = Math.ceil(from / step - 1e-9) * step; t <= to + step * 1e-9; t += step) found.push(t);
    return found;
  }

  function shorten(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    while (text.length > 1 && pen.measureText(text + "…").width > room) text = text.slice(0, -1);
    return text + "…";
  }

  function hatch(pen, x0, y0, w, h) {
    pen.save();
    pen.beginPath(); pen.rect(x0, y0, w, h); pen.clip();
    pen.strokeStyle = ink.lost; pen.lineWidth = 1.5;
    pen.beginPath();
    for (let i = -h; i < w; i += 5) { pen.moveTo(x0 + i, y0 + h); pen.lineTo(x0 + i + h, y0); }
    pen.stroke();
    pen.strokeRect(x0 + .5, y0 + .5, Math.max(w - 1, .5), h - 1);
    pen.restore();
  }

  // Dark on light colours, light on dark ones.
  function onTop(paint) {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(paint.slice(i, i + 2), 16) / 255);
    return .299 * r + .587 * g + .114 * b > .5 ? "#14161a" : "#ffffff";
  }

  function drawBar(pen, i, y) {
    const x0 = Math.max(x(bars.start[i]), left), x1 = Math.min(x(bars.end[i]), left + width());
    const w = Math.max(x1 - x0 - (x1 - x0 > 4 ? 1 : 0), 1), h = ROW - (ROW > 8 ? 3 : 1);
    if (data.odd[i]) {
      hatch(pen, x0, y, w, h);
    } else {
      const paint = colour(bars.name[i]);
      pen.fillStyle = paint;
      pen.fillRect(x0, y, w, h);
      if (w > 44 && ROW > 12) {
        pen.fillStyle = onTop(paint); pen.font = "11px system-ui, sans-serif";
        pen.fillText(shorten(pen, data.names[bars.name[i]], w - 8), x0 + 4, y + h / 2 + .5);
      }
    }
    if (i === over) { pen.strokeStyle = ink.ink; pen.lineWidth = 2; pen.strokeRect(x0, y, w, h); }
  }

  // Bars that begin where the last one of their row ended on the screen would only cover it: skip them.
  function drawTasks(pen, node, place, y) {
    const drawn = new Float64Array(node.rows).fill(-1), step = (to - from) / width();
    for (let k = 0; k < node.bars.length; k++) {
      const i = node.bars[k], row = node.row[k];
      if (bars.start[i] > to) break;
      if (bars.end[i] < from || bars.end[i] - drawn[row] < step && i !== over && !data.odd[i]) continue;
      drawn[row] = bars.end[i];
      drawBar(pen, i, y + row * ROW);
    }
  }

  // How busy a node is in each column of the screen: as if its bars were looked at from far away.
  function drawShades(pen, node, place, y) {
    const columns = Math.max(1, Math.floor(width())), step = (to - from) / columns;
    const busy = new Float64Array(columns + 1);
    for (const i of node.bars) {
      if (bars.start[i] > to) break;
      if (bars.end[i] < from) continue;
      const a = Math.max(0, (bars.start[i] - from) / step), b = Math.min(columns, (bars.end[i] - from) / step);
      const first = Math.floor(a), last = Math.floor(b), cores = bars.cores[i];
      if (first === last) { busy[first] += (b - a) * cores; continue; }
      busy[first] += (first + 1 - a) * cores;
      for (let c = first + 1; c < last; c++) busy[c] += cores;
      busy[last] += (b - last) * cores;
    }
    pen.fillStyle = ink.accent;
    const level = (c) => Math.min(10, Math.ceil(busy[c] / node.most * 10 - 1e-6));
    for (let c = 0; c < columns;) {
      let run = c + 1;
      while (run < columns && level(run) === level(c)) run++;
      if (level(c) > 0) { pen.globalAlpha = level(c) / 10; pen.fillRect(left + c, y, run - c, place.high - (place.high > 4 ? 1 : 0)); }
      c = run;
    }
    pen.globalAlpha = 1;
  }

  function drawBand(pen, node, place, y) {
    pen.fillStyle = ink.band;
    if (!byNode) pen.fillRect(left, y - 2, width(), place.high + 1);
    if (node.lost !== null && x(node.lost) < left + width()) {
      const x0 = Math.max(x(node.lost), left);
      pen.globalAlpha = .15; pen.fillStyle = ink.lost;
      pen.fillRect(x0, y - (byNode ? 0 : 2), left + width() - x0, place.high + (byNode ? 0 : 1));
      pen.globalAlpha = 1;
    }
  }

  function drawNames(pen, spots, top, high) {
    pen.fillStyle = ink.ink; pen.font = "12px system-ui, sans-serif"; pen.textAlign = "right";
    let free = HEAD;
    nodes.forEach((node, index) => {
      const y = spots[index].top - top + spots[index].high / 2;
      if (y < free || y > high) return;
      pen.fillText(shorten(pen, node.name, left - 14), left - 8, y);
      free = y + 15;
    });
    pen.textAlign = "left";
  }

  function drawFaults(pen, spots, top, high) {
    for (const [when, kind, , node] of data.marks) {
      if (kind !== "fault" || when < from || when > to) continue;
      const px = x(when);
      pen.strokeStyle = pen.fillStyle = ink.bad; pen.lineWidth = 1.5; pen.setLineDash([5, 3]);
      pen.beginPath(); pen.moveTo(px, HEAD - 4); pen.lineTo(px, high); pen.stroke(); pen.setLineDash([]);
      pen.beginPath(); pen.moveTo(px - 5, HEAD - 10); pen.lineTo(px + 5, HEAD - 10); pen.lineTo(px, HEAD - 2); pen.fill();
      if (node < 0) continue;
      const y = spots[node].top - top + spots[node].high / 2 - 1;
      if (y < HEAD) continue;
      pen.lineWidth = 2.5;
      pen.beginPath(); pen.moveTo(px - 6, y - 6); pen.lineTo(px + 6, y + 6); pen.moveTo(px + 6, y - 6); pen.lineTo(px - 6, y + 6); pen.stroke();
    }
  }

  function draw() {
    const spots = places(), high = scroll.clientHeight;
    $("rest").style.height = Math.max(0, spots.total - high) + "px";
    const pen = prepare(), top = scroll.scrollTop, times = ticks();
    const seen = (paint) => nodes.forEach((node, index) => {
      const y = spots[index].top - top;
      if (y <= high && y + spots[index].high >= HEAD) paint(pen, node, spots[index], y);
    });
    seen(drawBand);
    pen.fillStyle = ink.line;
    for (const t of times) pen.fillRect(Math.round(x(t)), HEAD - 2, 1, high);
    seen(byNode ? drawShades : drawTasks);
    // The axis lies over what is scrolled under it.
    pen.fillStyle = ink.card; pen.fillRect(0, 0, gantt.clientWidth, HEAD - 2);
    pen.fillStyle = ink.quiet; pen.textAlign = "center";
    for (const t of times) pen.fillText(seconds(t), Math.min(x(t), gantt.clientWidth - 22), 10);
    drawNames(pen, spots, top, high);
    drawFaults(pen, spots, top, high);
    if (drag && drag.px !== drag.now) {
      pen.globalAlpha = .18; pen.fillStyle = ink.accent;
      pen.fillRect(Math.min(drag.px, drag.now), 0, Math.abs(drag.now - drag.px), high);
      pen.globalAlpha = 1;
    }
  }

  // --- looking closer ---

  function show(a, b) {
    const span = Math.min(end, Math.max(b - a, end * 1e-7));
    from = Math.min(Math.max(0, a), end - span);
    to = from + span;
    const whole = span > end * .9999;
    for (const svg of document.querySelectorAll("svg.strip"))
      svg.setAttribute("viewBox", `${from / end * 1e4} 0 ${span / end * 1e4} 100`);
    $("range").textContent = `${seconds(from)} to ${seconds(to)}`;
    $("whole").disabled = whole;
    for (const button of document.querySelectorAll("[data-move]"))
      if (button.dataset.move !== "0,0.5") button.disabled = whole;
    draw();
  }

  function move(by, zoom) {
    const middle = (from + to) / 2 + by * (to - from), half = (to - from) / 2 * zoom;
    show(middle - half, middle + half);
  }

  function choose(nodesOnly) {
    byNode = nodesOnly;
    $("by").setAttribute("aria-pressed", String(byNode));
    scroll.scrollTop = 0;
    draw();
  }

  function barUnder(px, py) {
    const y = py + scroll.scrollTop, spots = places();
    const index = spots.findIndex((place) => y >= place.top && y < place.top + place.high);
    if (index < 0 || px < left) return [-1, -1];
    const row = Math.floor((y - spots[index].top) / ROW), t = at(px), slack = 2 * (to - from) / width();
    const node = nodes[index];
    if (byNode) return [index, -1];
    const found = node.bars.find((i, k) => node.row[k] === row && bars.start[i] - slack <= t && t <= bars.end[i] + slack);
    return [index, found === undefined ? -1 : found];
  }

  function said(px, py) {
    const mark = data.marks.find((one) => Math.abs(x(one[0]) - px) < 5);
    if (py <= HEAD || mark && !byNode) if (mark) return `${mark[1]} at ${seconds(mark[0])}\n${mark[2]}`;
    const [index, bar] = barUnder(px, py);
    if (bar !== over) { over = bar; draw(); }
    if (index < 0) return "";
    if (byNode) {
      const t = at(px), running = nodes[index].bars.filter((i) => bars.start[i] <= t && t < bars.end[i]);
      const cores = running.reduce((sum, i) => sum + bars.cores[i], 0);
      return `${nodes[index].name} at ${seconds(t)}\n${+cores.toPrecision(4)} of ${nodes[index].most} cores busy`;
    }
    if (bar < 0) return "";
    const odd = data.odd[bar];
    return `${data.names[bars.name[bar]]} on ${nodes[index].name}\n${seconds(bars.start[bar])} to ${seconds(bars.end[bar])}, `
      + seconds(bars.end[bar] - bars.start[bar]) + (odd ? `\n${odd[0]}: ${odd[1]}` : "");
  }

  function tell(event) {
    const box = gantt.getBoundingClientRect();
    const text = said(event.clientX - box.left, event.clientY - box.top);
    tip.hidden = !text;
    tip.textContent = text;
    if (!text) return;
    const area = chart.getBoundingClientRect();
    const tx = event.clientX - area.left + 14, ty = event.clientY - area.top + 14;
    tip.style.left = Math.max(4, Math.min(tx, area.width - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, Math.min(ty, area.height - tip.offsetHeight - 4)) + "px";
  }

  const px = (event) => event.clientX - gantt.getBoundingClientRect().left;
  gantt.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    drag = { px: px(event), now: px(event) };
    gantt.setPointerCapture(event.pointerId);
  });
  gantt.addEventListener("pointermove", (event) => {
    if (!drag) return tell(event);
    drag.now = px(event);
    tip.hidden = true;
    draw();
  });
  gantt.addEventListener("pointerup", (event) => {
    if (!drag) return tell(event);
    const [a, b] = [at(Math.min(drag.px, drag.now)), at(Math.max(drag.px, drag.now))];
    const moved = Math.abs(drag.now - drag.px);
    drag = null;
    if (moved > 6) show(a, b); else draw();
  });
  gantt.addEventListener("pointerleave", () => { tip.hidden = true; if (over >= 0) { over = -1; draw(); } });
  gantt.addEventListener("dblclick", () => show(0, end));
  $("whole").addEventListener("click", () => show(0, end));
  $("by").addEventListener("click", () => choose(!byNode));
  for (const button of document.querySelectorAll("[data-move]"))
    button.addEventListener("click", () => move(...button.dataset.move.split(",").map(Number)));
  const KEYS = { ArrowLeft: [-.25, 1], ArrowRight: [.25, 1], "+": [0, .5], "=": [0, .5], "-": [0, 2] };
  scroll.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (KEYS[event.key]) move(...KEYS[event.key]);
    else if (event.key === "Home") show(0, end);
    else return;
    event.preventDefault();
  });
  scroll.addEventListener("scroll", draw);
  window.addEventListener("resize", () => { readInk(); draw(); }, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInk(); draw(); }, { signal });

  if (!matchMedia("(hover: hover)").matches) $("hint").textContent = "Touch a task to see what it is.";
  readInk();
  show(0, end);
  choose(byNode);
  document.documentElement.dataset.drawn = "yes";
}
