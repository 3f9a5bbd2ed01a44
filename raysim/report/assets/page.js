"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const gantt = $("gantt"), busy = $("busy"), scroll = $("scroll"), tip = $("tip"), chart = $("chart");
  const HEAD = 22, GAP = 8, BUSY = 72;
  const rows = data.nodes.reduce((sum, node) => sum + node.rows, 0);
  const ROW = rows > 400 ? 5 : rows > 80 ? 10 : 18;
  let left = 90, from = 0, to = data.end || 1, ink = {}, over = null, drag = null;

  // Where each node's rows begin, in pixels from the top of the whole chart.
  let total = HEAD;
  const tops = data.nodes.map((node) => { const top = total; total += node.rows * ROW + GAP; return top; });
  const byNode = data.nodes.map(() => []);
  for (const bar of data.bars) byNode[bar[0]].push(bar);

  const colour = (name) => name < data.colours ? ink["c" + name] : ink.grey;
  const x = (s) => left + (s - from) / (to - from) * (gantt.clientWidth - left - 12);
  const at = (px) => from + (px - left) / (gantt.clientWidth - left - 12) * (to - from);

  function seconds(s) {
    if (s >= 3600) return Math.floor(s / 3600) + "h" + String(Math.round(s % 3600 / 60)).padStart(2, "0") + "m";
    if (s >= 60) return Math.floor(s / 60) + "m" + String(Math.round(s % 60)).padStart(2, "0") + "s";
    if (s >= 1) return +s.toPrecision(4) + "s";
    if (s >= 1e-3) return +(s * 1e3).toPrecision(3) + "ms";
    return s > 0 ? +(s * 1e6).toPrecision(3) + "µs" : "0s";
  }

  function readInk() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["ink", "quiet", "line", "band", "card", "accent", "lost", "bad", "grey"])
      ink[name] = style.getPropertyValue("--" + name).trim();
    for (let i = 0; i < data.colours; i++) ink["c" + i] = style.getPropertyValue("--c" + i).trim();
  }

  function prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = height + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    return pen;
  }

  function ticks() {
    const wanted = Math.max(2, Math.floor((gantt.clientWidth - left) / 90)), rough = (to - from) / wanted;
    const base = 10 ** Math.floor(Math.log10(rough));
    const steps = rough > 30 ? [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400] : [1, 2, 5, 10].map((n) => n * base);
    const step = steps.find((s) => s >= rough) || 86400 * Math.ceil(rough / 86400);
    const found = [];
    for (let t = Math.ceil(from / step) * step; t <= to + step * 1e-9; t += step) found.push(t);
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

  function drawBar(pen, bar, y) {
    const x0 = Math.max(x(bar[3]), left), x1 = Math.min(x(bar[4]), gantt.clientWidth - 12);
    const w = Math.max(x1 - x0 - (x1 - x0 > 4 ? 1 : 0), 1), h = ROW - (ROW > 8 ? 3 : 1);
    if (bar[5]) {
      hatch(pen, x0, y, w, h);
    } else {
      pen.fillStyle = colour(bar[2]);
      pen.fillRect(x0, y, w, h);
      if (w > 44 && ROW > 12) {
        pen.fillStyle = "#ffffff"; pen.font = "11px system-ui, sans-serif";
        pen.shadowColor = "rgba(0,0,0,.55)"; pen.shadowBlur = 2;
        pen.fillText(shorten(pen, data.names[bar[2]], w - 8), x0 + 4, y + h / 2 + .5);
        pen.shadowBlur = 0;
      }
    }
    if (bar === over) { pen.strokeStyle = ink.ink; pen.lineWidth = 2; pen.strokeRect(x0, y, w, h); }
  }

  function drawBand(pen, index, top) {
    const node = data.nodes[index], y = tops[index] - top, h = node.rows * ROW;
    pen.fillStyle = ink.band;
    pen.fillRect(left, y - 2, gantt.clientWidth - left - 12, h + 1);
    if (node.lost !== null && node.lost !== undefined && x(node.lost) < gantt.clientWidth - 12) {
      const x0 = Math.max(x(node.lost), left);
      pen.globalAlpha = .12; pen.fillStyle = ink.lost;
      pen.fillRect(x0, y - 2, gantt.clientWidth - 12 - x0, h + 1);
      pen.globalAlpha = 1;
    }
  }

  function drawNode(pen, index, top, height) {
    const node = data.nodes[index], y = tops[index] - top, h = node.rows * ROW;
    if (y > height || y + h < HEAD) return;
    pen.fillStyle = ink.ink; pen.font = "12px system-ui, sans-serif"; pen.textAlign = "right";
    if (h >= 9) pen.fillText(shorten(pen, node.name, left - 14), left - 8, y + h / 2 - 1);
    pen.textAlign = "left";
    for (const bar of byNode[index])
      if (bar[4] >= from && bar[3] <= to) drawBar(pen, bar, y + bar[1] * ROW);
  }

  function drawMarks(pen, height, top) {
    const marks = data.marks.filter((mark) => mark[1] === "fault" && mark[0] >= from && mark[0] <= to);
    pen.lineWidth = 1.5;
    for (const mark of marks) {
      const px = x(mark[0]);
      pen.strokeStyle = ink.bad; pen.setLineDash([5, 3]);
      pen.beginPath(); pen.moveTo(px, HEAD - 4); pen.lineTo(px, height); pen.stroke(); pen.setLineDash([]);
      pen.fillStyle = ink.bad;
      pen.beginPath(); pen.moveTo(px - 5, HEAD - 10); pen.lineTo(px + 5, HEAD - 10); pen.lineTo(px, HEAD - 2); pen.fill();
      if (mark[3] >= 0) {
        const y = tops[mark[3]] - top + data.nodes[mark[3]].rows * ROW / 2 - 1;
        pen.lineWidth = 2.5;
        pen.beginPath(); pen.moveTo(px - 6, y - 6); pen.lineTo(px + 6, y + 6); pen.moveTo(px + 6, y - 6); pen.lineTo(px - 6, y + 6); pen.stroke();
        pen.lineWidth = 1.5;
      }
    }
  }

  function drawGantt() {
    const height = Math.min(total + 4, Math.max(160, Math.round(window.innerHeight * .7)));
    const pen = prepare(gantt, height), top = scroll.scrollTop;
    $("height").style.height = Math.max(0, total + 4 - height) + "px";
    const times = ticks();
    for (let i = 0; i < data.nodes.length; i++) drawBand(pen, i, top);
    pen.strokeStyle = ink.line; pen.lineWidth = 1;
    for (const t of times) { pen.beginPath(); pen.moveTo(x(t) + .5, HEAD - 2); pen.lineTo(x(t) + .5, height); pen.stroke(); }
    for (let i = 0; i < data.nodes.length; i++) drawNode(pen, i, top, height);
    // The axis lies over what is scrolled under it.
    pen.fillStyle = ink.card; pen.fillRect(0, 0, gantt.clientWidth, HEAD - 2);
    pen.fillStyle = ink.quiet; pen.textAlign = "center";
    for (const t of times) pen.fillText(seconds(t), Math.min(x(t), gantt.clientWidth - 22), 10);
    pen.textAlign = "left";
    drawMarks(pen, height, top);
    if (drag && drag.px !== drag.now) {
      pen.globalAlpha = .18; pen.fillStyle = ink.accent;
      pen.fillRect(Math.min(drag.px, drag.now), 0, Math.abs(drag.now - drag.px), height);
      pen.globalAlpha = 1;
    }
  }

  function drawBusy() {
    const pen = prepare(busy, BUSY), base = BUSY - 6, high = BUSY - 16;
    const most = data.cores || data.busy.reduce((m, step) => Math.max(m, step[1]), 1);
    const y = (cores) => base - Math.min(cores / most, 1) * high;
    pen.textAlign = "right"; pen.fillStyle = ink.quiet;
    pen.fillText(`${most} cores`, left - 8, y(most) + 4);
    pen.fillText("0", left - 8, base - 3);
    pen.strokeStyle = ink.line;
    for (const cores of [0, most]) { pen.beginPath(); pen.moveTo(left, y(cores) + .5); pen.lineTo(busy.clientWidth - 12, y(cores) + .5); pen.stroke(); }
    pen.save();
    pen.beginPath(); pen.rect(left, 0, busy.clientWidth - left - 12, BUSY); pen.clip();
    pen.beginPath(); pen.moveTo(x(0), base);
    let cores = 0;
    for (const [t, now] of data.busy) { pen.lineTo(x(t), y(cores)); pen.lineTo(x(t), y(now)); cores = now; }
    pen.lineTo(x(data.end), y(cores)); pen.lineTo(x(data.end), base); pen.closePath();
    pen.globalAlpha = .3; pen.fillStyle = ink.accent; pen.fill();
    pen.globalAlpha = 1; pen.strokeStyle = ink.accent; pen.lineWidth = 1.2; pen.stroke();
    pen.restore();
  }

  function draw() {
    left = gantt.clientWidth < 520 ? 62 : 90;
    drawBusy(); drawGantt();
    $("whole").hidden = from === 0 && to === data.end;
  }

  function barUnder(px, py) {
    const y = py + scroll.scrollTop;
    for (let i = 0; i < tops.length; i++) {
      if (y < tops[i] || y >= tops[i] + data.nodes[i].rows * ROW) continue;
      const row = Math.floor((y - tops[i]) / ROW), t = at(px), slack = (to - from) / gantt.clientWidth;
      return byNode[i].find((bar) => bar[1] === row && bar[3] - slack <= t && t <= bar[4] + slack) || null;
    }
    return null;
  }

  function markUnder(px) {
    return data.marks.find((mark) => Math.abs(x(mark[0]) - px) < 5) || null;
  }

  function tell(event) {
    const box = gantt.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const bar = py > HEAD ? barUnder(px, py) : null, mark = bar ? null : markUnder(px);
    if (bar !== over) { over = bar; drawGantt(); }
    tip.hidden = !bar && !mark;
    if (tip.hidden) return;
    tip.textContent = mark ? `${mark[1]} at ${seconds(mark[0])}\n${mark[2]}`
      : `${data.names[bar[2]]} on ${data.nodes[bar[0]].name}\n${seconds(bar[3])} to ${seconds(bar[4])}, ${seconds(bar[4] - bar[3])}`
        + (bar[5] ? `\n${bar[5]}: ${bar[6]}` : "");
    const area = chart.getBoundingClientRect();
    const tx = event.clientX - area.left + 14, ty = event.clientY - area.top + 14;
    tip.style.left = Math.max(4, Math.min(tx, area.width - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, Math.min(ty, area.height - tip.offsetHeight - 4)) + "px";
  }

  function whole() { from = 0; to = data.end || 1; draw(); }

  gantt.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    const px = event.clientX - gantt.getBoundingClientRect().left;
    drag = { px, now: px };
    gantt.setPointerCapture(event.pointerId);
  });
  gantt.addEventListener("pointermove", (event) => {
    if (!drag) return tell(event);
    drag.now = event.clientX - gantt.getBoundingClientRect().left;
    tip.hidden = true;
    drawGantt();
  });
  gantt.addEventListener("pointerup", (event) => {
    if (!drag) return tell(event);
    const [a, b] = [at(Math.min(drag.px, drag.now)), at(Math.max(drag.px, drag.now))];
    const moved = Math.abs(drag.now - drag.px);
    drag = null;
    if (moved > 6) { from = Math.max(0, a); to = Math.min(data.end, b); }
    draw();
  });
  gantt.addEventListener("pointerleave", () => { tip.hidden = true; if (over) { over = null; drawGantt(); } });
  gantt.addEventListener("dblclick", whole);
  $("whole").addEventListener("click", whole);
  scroll.addEventListener("scroll", drawGantt);
  window.addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readInk(); draw(); });

  function legend() {
    const shown = data.names.slice(0, data.colours).map((name, i) => [`var(--c${i})`, name]);
    const rest = data.names.slice(data.colours);
    if (rest.length) shown.push(["var(--grey)", rest.length < 4 ? rest.join(", ") : `${rest.length} others`]);
    for (const [paint, name] of shown) {
      const item = document.createElement("span"), swatch = document.createElement("i");
      swatch.className = "swatch"; swatch.style.background = paint;
      item.append(swatch, name); $("legend").append(item);
    }
    if (data.bars.some((bar) => bar[5])) {
      const item = document.createElement("span"), swatch = document.createElement("i");
      swatch.className = "swatch lost"; item.append(swatch, "did not finish"); $("legend").append(item);
    }
    for (const swatch of document.querySelectorAll(".swatch[data-name]"))
      if (+swatch.dataset.name < data.colours) swatch.style.background = `var(--c${swatch.dataset.name})`;
  }

  if (!matchMedia("(hover: hover)").matches) $("hint").textContent = "Touch a task to see what it is.";
  readInk(); legend(); draw();
})();
