"use strict";
// The page is whole without this script. It adds a cursor with the values under it, zoom
// and a filter by instance, and replaces sections of the page of a run that goes on.
(() => {
  const svgNS = "http://www.w3.org/2000/svg";
  const zoom = { from: null, to: null }; // seconds; null: all is shown
  let only = ""; // the instance that is shown; empty: all are
  let sought = ""; // what the names of lanes must hold
  let cursor = null; // seconds

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const number = (element, name) => Number(element.dataset[name]);
  const make = (name, attributes = {}, text = "") => {
    const e = name === "line" || name === "text" ? document.createElementNS(svgNS, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    if (text) e.textContent = text;
    return e;
  };

  // extent is the stretch of time that a chart has, and shown is what it shows of it.
  const extent = (chart) => [number(chart, "from"), number(chart, "to")];
  const shown = (chart) => zoom.from === null ? extent(chart) : [zoom.from, zoom.to];

  // lay puts everything in a chart where it is in the stretch that is shown.
  function lay(chart) {
    const [from, to] = extent(chart), [a, b] = shown(chart);
    const share = (t) => (t - a) / (b - a);
    for (const plot of all(".plot", chart)) {
      const height = plot.viewBox.baseVal.height;
      plot.setAttribute("viewBox", `${1000 * (a - from) / (to - from)} 0 ${1000 * (b - a) / (to - from)} ${height}`);
      const width = plot.getBoundingClientRect().width;
      const stretch = width ? 1000 * (b - a) / (to - from) / width : 1;
      for (const p of all("pattern", plot)) p.setAttribute("patternTransform", `scale(${stretch} 1) rotate(45)`);
    }
    for (const e of all("[data-t]", chart)) {
      const at = share(number(e, "t"));
      const end = e.dataset.to === undefined ? at : share(number(e, "to"));
      const hidden = end < -0.0001 || at > 1.0001;
      e.style.visibility = hidden ? "hidden" : "";
      if (hidden) continue;
      if (e.localName === "line") { e.setAttribute("x1", `${100 * at}%`); e.setAttribute("x2", `${100 * at}%`); }
      else if (e.dataset.to !== undefined) {
        const left = Math.max(0, at), right = Math.min(1, end);
        e.setAttribute("x", `${100 * left}%`);
        e.setAttribute("width", `${100 * Math.max(0, right - left)}%`);
      } else e.setAttribute("x", `${100 * at}%`);
    }
    times(chart, a, b);
    mark(chart, a, b);
    declutter(chart, a, b);
  }

  // declutter sees to the texts of a chart that is zoomed, which the page has not laid
  // out: a lane's name stays at its left edge, and of two that meet one is hidden.
  function declutter(chart, a, b) {
    const texts = all("text:not(.axis)", chart);
    for (const e of texts) {
      if (e.dataset.anchor === undefined) e.dataset.anchor = e.getAttribute("text-anchor") || "start";
      const share = (number(e, "t") - a) / (b - a);
      const turned = zoom.from !== null && e.classList.contains("flag") && e.dataset.anchor === "start" && share > 0.75;
      e.setAttribute("text-anchor", turned ? "end" : e.dataset.anchor);
      if (zoom.from !== null && e.classList.contains("name") && chart.classList.contains("lanes") && share < 0) {
        e.setAttribute("x", "0%");
        e.style.visibility = "";
      }
    }
    if (zoom.from === null) return;
    const shownIn = new Map(); // by lane, or the chart: the boxes that are taken
    const order = (e) => ["end", "flag", "name"].findIndex((c) => e.classList.contains(c)) + 1 || 9;
    for (const e of texts.sort((x, y) => order(x) - order(y))) {
      const box = e.getBoundingClientRect();
      if (!box.width || e.style.visibility === "hidden") continue;
      const where = e.closest("svg.lane") || chart;
      const taken = shownIn.get(where) || [];
      shownIn.set(where, taken);
      const edge = chart.getBoundingClientRect();
      const meets = box.left < edge.left - 2 || box.right > edge.right + 2 || taken.some((t) => box.left < t.right + 3 && t.left < box.right + 3 && box.top < t.bottom && t.top < box.bottom);
      if (meets) e.style.visibility = "hidden"; else taken.push(box);
    }
  }

  // times are the moments below a chart: its own, or those of what is shown.
  function times(chart, a, b) {
    const group = chart.querySelector(".times");
    if (!group) return;
    for (const t of all("[data-made]", group)) t.remove();
    for (const t of group.children) t.style.display = zoom.from === null ? "" : "none";
    if (zoom.from === null) return;
    const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find((s) => (b - a) / s <= 6) || 86400;
    for (let k = Math.ceil(a / step); k * step <= b; k++) {
      const share = (k * step - a) / (b - a);
      group.append(make("text", { "data-made": "", class: "axis", x: `${100 * share}%`, y: group.dataset.y, "font-size": 11,
        "text-anchor": share < 0.03 ? "start" : share > 0.96 ? "end" : "middle" }, moment(k * step, step)));
    }
  }

  function moment(t, step) {
    if (step >= 3600) return `${Math.round(t / 360) / 10} h`;
    if (t >= 120 && step >= 1) return `${Math.floor(t / 60)}:${String(Math.round(t % 60)).padStart(2, "0")}`;
    return `${t.toFixed(step < 0.1 ? 2 : step < 1 ? 1 : 0)} s`;
  }

  // mark draws the cursor.
  function mark(chart, a, b) {
    let line = chart.querySelector(".cursor");
    if (!line) {
      line = make("line", { class: "cursor", y1: 0, y2: Math.max(0, chart.height.baseVal.value - 20), stroke: "currentColor" });
      chart.append(line);
    }
    const share = cursor === null ? -1 : (cursor - a) / (b - a);
    line.style.display = share >= 0 && share <= 1 ? "" : "none";
    line.setAttribute("x1", `${100 * share}%`);
    line.setAttribute("x2", `${100 * share}%`);
  }

  function layAll() {
    for (const chart of all("svg.chart")) lay(chart);
    filter();
    bar();
  }

  // The bar says what is shown, and takes it back.
  let tools = null;
  function bar() {
    if (!tools) {
      tools = make("div", { id: "tools", role: "status" });
      document.body.append(tools);
    }
    tools.replaceChildren();
    const button = (text, action) => {
      const b = make("button", { type: "button" }, text);
      b.addEventListener("click", action);
      tools.append(b);
    };
    if (zoom.from !== null) button(`${zoom.from.toFixed(1)}–${zoom.to.toFixed(1)} s ✕ see all`, () => see(null, null));
    if (only) button(`${only} ✕ see all instances`, () => show(""));
    tools.hidden = !tools.childElementCount;
  }

  function see(from, to) {
    const chart = document.querySelector("svg.chart");
    if (from !== null && chart) {
      const [a, b] = extent(chart);
      const least = number(chart, "bin");
      if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
      from = Math.max(a, from); to = Math.min(b, to);
      if (to - from >= b - a || to <= from) from = to = null;
    }
    zoom.from = from; zoom.to = from === null ? null : to;
    layAll();
  }

  // filter dims what is of other instances, and hides their rows.
  function filter(within = document) {
    for (const e of all("[data-instance]", within)) {
      const other = only !== "" && e.dataset.instance !== only;
      if (e.namespaceURI === svgNS) e.classList.toggle("dim", other);
      else e.hidden = other;
    }
    for (const chart of all("svg.lanes", within)) {
      let y = 0;
      for (const lane of all("svg.lane", chart)) {
        const hidden = sought !== "" && !lane.dataset.instance.includes(sought);
        lane.style.display = hidden ? "none" : "";
        lane.setAttribute("y", y);
        if (!hidden) y += lane.height.baseVal.value;
      }
      const axis = chart.querySelector(".times");
      if (axis) {
        axis.setAttribute("transform", `translate(0 ${y + 14 - Number(axis.dataset.y)})`);
        chart.setAttribute("height", y + 20);
      }
    }
  }

  function show(instance) { only = only === instance ? "" : instance; layAll(); }

  // The values under the cursor are those of the numbers' table beside a chart.
  let tip = null;
  function tell(chart, x, y) {
    if (!tip) {
      tip = make("div", { id: "tip", "aria-live": "polite" });
      document.body.append(tip);
    }
    const place = chart && (chart.closest("figure").querySelector("table.figures") || chart.closest("section").querySelector("table.figures"));
    const row = place && rowAt(place, cursor);
    tip.hidden = !row;
    if (!row) return;
    tip.replaceChildren(make("strong", {}, `until ${row.cells[0].textContent}`));
    const list = make("table");
    const heads = all("thead th", place);
    for (let i = 1; i < heads.length; i++) {
      if (i > 3 && row.cells[i].textContent === "0") continue;
      const line = list.insertRow();
      line.insertCell().textContent = heads[i].textContent;
      line.insertCell().textContent = row.cells[i].textContent;
    }
    tip.append(list);
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = `${Math.max(4, x + 16 + width > innerWidth ? x - width - 16 : x + 16)}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 12, innerHeight - height - 8))}px`;
  }

  function rowAt(table, t) {
    if (t === null) return null;
    const rows = table.tBodies[0].rows;
    let low = 0, high = rows.length; // the first that ends at t or later
    while (low < high) {
      const middle = (low + high) >> 1;
      if (parseFloat(rows[middle].cells[0].textContent) < t) low = middle + 1; else high = middle;
    }
    const row = rows[low];
    return row && parseFloat(row.cells[0].textContent) - t <= number(table, "each") + 0.06 ? row : null;
  }

  function at(chart, event) {
    const box = chart.getBoundingClientRect(), [a, b] = shown(chart);
    return a + (b - a) * Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  function move(to, chart, x, y) {
    cursor = to;
    for (const c of all("svg.chart")) mark(c, ...shown(c));
    tell(to === null ? null : chart, x, y);
  }

  let dragged = null; // { chart, from, x }
  document.addEventListener("pointermove", (event) => {
    const chart = event.target.closest && event.target.closest("svg.chart");
    if (!chart) { if (cursor !== null && event.pointerType === "mouse") move(null); return; }
    move(at(chart, event), chart.classList.contains("lanes") ? null : chart, event.clientX, event.clientY);
  });
  document.addEventListener("pointerdown", (event) => {
    const chart = event.target.closest("svg.chart");
    dragged = chart && event.button === 0 && event.pointerType === "mouse" ? { chart, from: at(chart, event), x: event.clientX } : null;
  });
  document.addEventListener("pointerup", (event) => {
    if (dragged && Math.abs(event.clientX - dragged.x) > 6) {
      const to = at(dragged.chart, event);
      see(Math.min(dragged.from, to), Math.max(dragged.from, to));
      suppress = true;
      setTimeout(() => { suppress = false; });
    }
    dragged = null;
  });
  let suppress = false; // the click that ends a drag
  document.addEventListener("dblclick", (event) => { if (event.target.closest("svg.chart")) see(null, null); });
  document.addEventListener("dragstart", (event) => { if (event.target.closest("svg.chart")) event.preventDefault(); });
  document.addEventListener("click", (event) => {
    const lane = event.target.closest("svg.lane");
    if (!lane) return;
    event.preventDefault();
    if (!suppress) show(lane.dataset.instance);
  });

  // The keyboard has all of it: arrows move the cursor of a chart, + and - zoom, Escape
  // sees all.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { if (only) show(""); see(null, null); move(null); return; }
    const chart = event.target.closest && event.target.closest("svg.chart:not(.lanes)");
    if (!chart || event.ctrlKey || event.metaKey || event.altKey) return;
    const [a, b] = shown(chart), bin = number(chart, "bin");
    const here = cursor === null ? (a + b) / 2 : cursor;
    const box = chart.getBoundingClientRect();
    const go = (t) => { const to = Math.min(b, Math.max(a, t)); move(to, chart, box.left + box.width * (to - a) / (b - a), box.top + 20); };
    if (event.key === "ArrowRight") go(here + bin);
    else if (event.key === "ArrowLeft") go(here - bin);
    else if (event.key === "+") see(here - (b - a) / 4, here + (b - a) / 4);
    else if (event.key === "-") see(here - (b - a), here + (b - a));
    else return;
    event.preventDefault();
  });

  // A link to a span of time zooms; one to what is folded unfolds it.
  function follow() {
    const hash = decodeURIComponent(location.hash.slice(1));
    const span = /^t=(-?[\d.]+),(-?[\d.]+)$/.exec(hash);
    if (span) {
      const from = Number(span[1]), to = Number(span[2]), around = Math.max(1, (to - from) / 3);
      see(from - around, to + around);
      const slide = document.getElementById("slide");
      if (slide) slide.scrollIntoView();
      return;
    }
    const target = hash && document.getElementById(hash);
    if (!target) return;
    for (let d = target.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => { // the same span once more
    const link = event.target.closest("a[href^='#t=']");
    if (link && link.getAttribute("href") === location.hash) follow();
  });

  // dress adds what has no meaning without a script. The field is one for ever, so that who
  // types into it goes on when its section is replaced.
  const field = make("input", { type: "search", class: "seek", placeholder: "find an instance", "aria-label": "find an instance" });
  field.addEventListener("input", () => { sought = field.value.trim(); filter(); });
  function dress(within) {
    for (const chart of all("svg.chart:not(.lanes)", within)) chart.setAttribute("tabindex", "0");
    for (const many of all(".lanes-of.many", within)) many.before(field);
  }

  // fill replaces a section of the page. What was unfolded stays so, and what had the
  // focus has it again.
  function fill(id, html) {
    const section = document.getElementById(id);
    if (!section) return;
    const open = all("details", section).map((d) => d.open);
    const scrolled = all(".long, .many", section).map((e) => e.scrollTop);
    const active = document.activeElement;
    const focused = section.contains(active) && active !== field ? path(section, active) : null, typing = active === field;
    section.innerHTML = html;
    all("details", section).forEach((d, i) => { if (open[i] !== undefined) d.open = open[i]; });
    all(".long, .many", section).forEach((e, i) => { e.scrollTop = scrolled[i] || 0; });
    dress(section);
    for (const chart of all("svg.chart", section)) lay(chart);
    filter(section);
    const again = focused && find(section, focused);
    if (again) again.focus({ preventScroll: true });
    if (typing) field.focus({ preventScroll: true });
  }
  const path = (root, e) => { const p = []; for (; e !== root; e = e.parentElement) p.unshift([...e.parentElement.children].indexOf(e)); return p; };
  const find = (root, p) => p.reduce((e, i) => e && e.children[i], root);

  addEventListener("resize", layAll);
  dress(document);
  layAll();
  follow();
  window.throughline = { fill };
})();
