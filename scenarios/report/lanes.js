// Draws the lanes of a report: a strip with phases, steps, faults, births and
// deaths, and below it the charts of the four layers, all on one time axis with one
// cursor and one zoom. The data comes from the element "lanes-data"; its shape
// is that of type lanes in lanes.go.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("lanes-data").textContent);
  const axisWidth = 58;
  // The sum of many instances would press the lines of single ones flat: it
  // has an axis of its own, on the right.
  const isOthers = (l) => l.tone === "others";
  const rightAxis = data.charts.some((c) => (c.lines || []).some(isOthers)) ? 54 : 0;
  let plots = [];

  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim() || "#888";
  const tone = (t) => color(/^\d+$/.test(t) ? "tone-" + t : t);
  const twoDigits = (s) => s.toFixed(s < 100 ? 2 : 1) + " s";
  function number(v) {
    if (v == null) return "–";
    if (v === 0) return "0";
    const digits = Math.abs(v) >= 100 ? 0 : Math.abs(v) >= 10 ? 1 : 2;
    return v.toLocaleString("en-US", { maximumFractionDigits: digits });
  }

  // The axis reaches from the start of the run to its end, also where the
  // first and the last bin do not: points without values stand there.
  const before = data.x.length && data.x[0] > 0 ? [0] : [];
  const after = data.end > data.x[data.x.length - 1] ? [data.end] : [];
  const x = [...before, ...data.x, ...after];
  const padded = (values) => [...before.map(() => null), ...values, ...after.map(() => null)];

  function eachVisible(u, list, at, draw) {
    const { min, max } = u.scales.x;
    for (const item of list) {
      const [from, to] = at(item);
      if (to >= min && from <= max) draw(item, u.valToPos(Math.max(from, min), "x", true), u.valToPos(Math.min(to, max), "x", true));
    }
  }
  const bandTimes = (b) => [b.from, b.to];
  const markTimes = (m) => [m.at, m.at];
  const isDeath = (m) => m.kind === "death" || m.kind === "lost";
  const isLine = (m) => isDeath(m) || m.kind === "trouble";

  // The marks that get a line across all lanes. Where deaths stand close, those
  // that were asked for keep only their sign: a fence hides what is behind it.
  function lines(u) {
    const { min, max } = u.scales.x;
    const visible = data.marks.filter((m) => isLine(m) && m.at >= min && m.at <= max);
    return visible.length <= 30 ? visible : visible.filter((m) => m.kind !== "death");
  }

  function vertical(u, px, stroke, dash) {
    const { ctx, bbox } = u;
    ctx.strokeStyle = stroke;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash(dash.map((d) => d * uPlot.pxRatio));
    ctx.beginPath();
    ctx.moveTo(px, bbox.top);
    ctx.lineTo(px, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  // Behind the lines: every second phase shaded, steps and faults as bands.
  function drawBehind(u) {
    const { ctx, bbox } = u;
    ctx.save();
    eachVisible(u, data.phases.filter((_, i) => i % 2 === 1), bandTimes, (p, from, to) => {
      ctx.fillStyle = color("phase");
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    });
    for (const [bands, tone, alpha] of [[data.faults, "fault", 0.1], [data.steps, "step", 0.14]]) {
      eachVisible(u, bands, bandTimes, (b, from, to) => {
        ctx.globalAlpha = alpha;
        ctx.fillStyle = color(b.bad ? "lost" : tone);
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
        ctx.globalAlpha = 1;
        vertical(u, from, color(b.bad ? "lost" : tone), [3, 3]);
      });
    }
    eachVisible(u, lines(u), markTimes, (m, px) => {
      ctx.globalAlpha = 0.6;
      vertical(u, px, color(m.kind), []);
      ctx.globalAlpha = 1;
    });
    ctx.restore();
  }

  // Births and deaths as signs at height y; those that would touch become one
  // sign with their number.
  function drawSigns(u, y, marks, sign) {
    const ratio = uPlot.pxRatio, ctx = u.ctx;
    let last = null;
    const flush = () => {
      if (!last) return;
      ctx.fillStyle = color(last.kind);
      ctx.fillText(last.n > 1 ? sign + last.n : sign, last.px, y);
    };
    ctx.save();
    ctx.font = 700 + " " + 12 * ratio + "px system-ui, sans-serif";
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    eachVisible(u, marks, markTimes, (m, px) => {
      if (last && px - last.px < 16 * ratio) {
        last.n++;
        if (m.kind === "lost") last.kind = "lost";
        return;
      }
      flush();
      last = { px, n: 1, kind: m.kind };
    });
    flush();
    ctx.restore();
  }

  // Text that ends before the next one begins, shortened to fit.
  function drawLabel(ctx, text, px, room) {
    if (room < 12 * uPlot.pxRatio) return;
    let shown = text;
    while (shown.length > 1 && ctx.measureText(shown + (shown === text ? "" : "…")).width > room) shown = shown.slice(0, -1);
    if (shown.length > 1 || shown === text) ctx.fillText(shown === text ? text : shown.trimEnd() + "…", px, 0);
  }

  function drawStrip(u) {
    const ratio = uPlot.pxRatio, { ctx, bbox } = u, right = bbox.left + bbox.width;
    const row = (i) => bbox.top + (10 + 20 * i) * ratio;
    ctx.save();
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    ctx.font = 600 + " " + 12 * ratio + "px system-ui, sans-serif";
    ctx.fillStyle = color("ink");
    ctx.translate(0, row(0));
    eachVisible(u, data.phases, bandTimes, (p, from, to) => drawLabel(ctx, p.label, from + 5 * ratio, to - from - 8 * ratio));
    ctx.translate(0, row(1) - row(0));
    ctx.font = 12 * ratio + "px system-ui, sans-serif";
    for (const [bands, tone] of [[data.steps, "step"], [data.faults, "fault"]]) {
      const shown = [];
      eachVisible(u, bands, bandTimes, (b, from) => shown.push([b, from]));
      shown.forEach(([b, from], i) => {
        ctx.fillStyle = color(b.bad ? "lost" : tone);
        drawLabel(ctx, b.label, from + 4 * ratio, (i + 1 < shown.length ? shown[i + 1][1] : right) - from - 6 * ratio);
      });
      ctx.translate(0, row(1) - row(0));
    }
    ctx.restore();
    drawSigns(u, row(3), data.marks.filter((m) => m.kind === "birth"), "▲");
    drawSigns(u, row(4), data.marks.filter(isDeath), "✕");
    drawSigns(u, row(4), data.marks.filter((m) => m.kind === "trouble"), "!");
    ctx.save();
    ctx.font = 11 * ratio + "px system-ui, sans-serif";
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    ctx.fillStyle = color("soft");
    ["phases", "steps", "faults", "births", "deaths"].forEach((name, i) => ctx.fillText(name, bbox.left - 8 * ratio, row(i)));
    ctx.restore();
  }

  // What the journal has at the cursor, in words.
  function tellCursor(u) {
    const left = u.cursor.left;
    if (left == null || left < 0) return;
    const t = u.posToVal(left, "x"), near = Math.abs(u.posToVal(left + 7, "x") - t);
    const parts = [twoDigits(t)];
    const phase = data.phases.find((p) => p.from <= t && t < p.to);
    if (phase) parts.push("phase " + phase.label);
    for (const s of data.steps) if (s.from - near <= t && t <= s.to + near) parts.push(s.label + (s.bad ? " (did not take effect)" : ""));
    for (const f of data.faults) if (f.from - near <= t && t <= f.to + near) parts.push("fault " + f.label);
    const marks = data.marks.filter((m) => Math.abs(m.at - t) <= near);
    for (const m of marks.slice(0, 6)) parts.push(m.label + " at " + twoDigits(m.at));
    if (marks.length > 6) parts.push("and " + (marks.length - 6) + " more");
    document.getElementById("at-cursor").textContent = parts.join(" · ");
  }

  const cursor = () => ({
    y: false,
    sync: { key: "lanes", scales: ["x", null], setSeries: false },
    drag: { x: true, y: false },
    points: { size: 7 },
  });
  const xAxis = (show) => ({
    show, size: 26, stroke: () => color("soft"), font: "12px system-ui, sans-serif",
    grid: { stroke: () => color("grid"), width: 1 }, ticks: { stroke: () => color("rule"), width: 1, size: 4 },
    values: (u, splits) => splits.map((s) => s.toLocaleString("en-US") + " s"),
  });

  function strip(width) {
    return new uPlot({
      width, height: 108, padding: [2, 12 + rightAxis, 2, 0], cursor: cursor(), legend: { show: false },
      scales: { x: { time: false }, y: { range: [0, 1] } },
      axes: [xAxis(false), { size: axisWidth, grid: { show: false }, ticks: { show: false }, values: () => [] }],
      series: [{}, { show: true, points: { show: false } }],
      hooks: { drawClear: [drawBehind], draw: [drawStrip], setCursor: [tellCursor] },
    }, [x, x.map(() => null)], document.getElementById("strip"));
  }

  function lane(chart, width) {
    const log = !!chart.log, others = chart.lines.some(isOthers);
    const fromZero = { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] };
    const hooks = { drawClear: [drawBehind], setCursor: [tellCursor] };
    if (chart.id === "web") {
      hooks.draw = [(u) => {
        drawSigns(u, u.bbox.top - 9 * uPlot.pxRatio, data.marks.filter((m) => m.web && m.kind === "birth"), "▲");
        drawSigns(u, u.bbox.top + 9 * uPlot.pxRatio, data.marks.filter((m) => m.web && isDeath(m)), "✕");
      }];
    }
    const heights = { web: 270, latency: 150 };
    return new uPlot({
      width, height: heights[chart.id] || 180, padding: [chart.id === "web" ? 20 : 8, 12 + (others ? 0 : rightAxis), 0, 0], cursor: cursor(), hooks,
      scales: {
        x: { time: false },
        y: log ? { distr: 3 } : fromZero,
        others: fromZero,
      },
      axes: [xAxis(true), {
        size: axisWidth, stroke: () => color("soft"), font: "12px system-ui, sans-serif",
        grid: { stroke: () => color("grid"), width: 1 }, ticks: { show: false },
        values: (u, splits) => splits.map((s) => (s == null ? null : number(s) + (log ? " ms" : ""))),
      }, {
        show: others, scale: "others", side: 1, size: rightAxis, stroke: () => color("others"), font: "12px system-ui, sans-serif",
        grid: { show: false }, ticks: { show: false }, values: (u, splits) => splits.map(number),
      }],
      series: [{ label: "time", value: (u, v) => (v == null ? "–" : twoDigits(v)) }].concat(chart.lines.map((l) => ({
        label: l.label, width: 1.6, stroke: () => tone(l.tone), scale: isOthers(l) ? "others" : "y", dash: isOthers(l) ? [6, 4] : undefined,
        value: (u, v) => number(v), points: { size: 4, fill: () => tone(l.tone) },
      }))),
    }, [x].concat(chart.lines.map((l) => padded(l.values.map((v) => (log && v !== null && v <= 0 ? null : v))))),
    document.querySelector("#chart-" + chart.id + " .plot"));
  }

  const widthOf = (el) => {
    const style = getComputedStyle(el);
    return Math.max(280, el.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight));
  };

  function build() {
    for (const p of plots) p.destroy();
    plots = [];
    if (!(data.end > 0)) return;
    // The strip is as wide as the charts, so that times stand under each other.
    const first = document.querySelector(".chart .plot");
    plots.push(strip(widthOf(first)));
    for (const chart of data.charts) if (chart.lines && chart.lines.length) plots.push(lane(chart, widthOf(first)));
  }
  function resize() {
    const first = document.querySelector(".chart .plot");
    for (const p of plots) if (p.width !== widthOf(first)) p.setSize({ width: widthOf(first), height: p.height });
  }
  function seeAll() {
    for (const p of plots) p.setScale("x", { min: x[0], max: x[x.length - 1] });
  }

  build();
  document.getElementById("see-all").addEventListener("click", seeAll);
  window.addEventListener("resize", resize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    build();
    for (const p of plots) p.setSize({ width: 680, height: p.height });
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    build();
  });
})();
