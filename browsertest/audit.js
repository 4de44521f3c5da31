// Measures what is drawn; audit.go says what each kind of fault is. One expression, for
// Runtime.evaluate, that changes nothing in the page.
(() => {
  const faults = [];
  const root = document.documentElement;
  const memo = (f) => { const known = new Map(); return (key) => { if (!known.has(key)) known.set(key, f(key)); return known.get(key); }; };
  const style = memo((e) => getComputedStyle(e));
  const box = memo((e) => e.getBoundingClientRect());
  const where = (e) => [e.parentElement, e].filter(Boolean).map((x) =>
    x.localName + (x.id ? '#' + x.id : '') + [...x.classList].map((c) => '.' + c).join('')).join(' > ');
  const fault = (kind, text, e, tells) => faults.push({ Kind: kind, Text: text.trim().replace(/\s+/g, ' ').slice(0, 60), Where: where(e), Tells: tells });
  const px = (n) => n.toFixed(1) + ' px';

  // A computed colour is rgb(), rgba() or color(srgb …); [r, g, b, alpha], 0 to 255 and 0 to 1.
  const parse = memo((text) => {
    if (text === 'transparent' || text === 'none') return [0, 0, 0, 0];
    const n = (text.match(/-?[\d.]+(e-?\d+)?%?/g) || []).map((x) => x.endsWith('%') ? parseFloat(x) / 100 : parseFloat(x));
    if (/^rgba?\(/.test(text) && n.length >= 3) return [n[0], n[1], n[2], n[3] ?? 1];
    if (/^color\(srgb /.test(text) && n.length >= 3) return [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1];
    return null;
  });
  function alphaOf(text) { const c = parse(text); return c ? c[3] : 0; }

  const ancestors = function* (e) { for (; e; e = e.parentElement) yield e; };
  const isClip = (v) => v === 'hidden' || v === 'clip';
  const isScroll = (v) => v === 'auto' || v === 'scroll';
  const isPaint = (e) => e.namespaceURI === 'http://www.w3.org/2000/svg' && e.localName !== 'svg';
  const isRoot = (e) => e === root || e === document.body;
  // Clipped to nothing, for screen readers.
  const isHushed = memo((e) => {
    const s = style(e), b = box(e);
    return isClip(s.overflowX) && b.width <= 1 && b.height <= 1 && s.position === 'absolute' ||
      /^rect\((0px|1px)(,? (0px|1px)){3}\)$/.test(s.clip) || s.clipPath === 'inset(50%)';
  });
  const opacity = memo((e) => [...ancestors(e)].reduce((o, a) => o * parseFloat(style(a).opacity), 1));
  const isSeen = memo((e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: false }) &&
    opacity(e) > 0 && ![...ancestors(e)].some(isHushed));

  // --- the texts -----------------------------------------------------------------
  const skip = new Set(['script', 'style', 'template', 'noscript', 'title', 'desc', 'metadata', 'option', 'textarea']);
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || skip.has(e.localName) || !isSeen(e)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // A line's rectangle reaches from the font's ascent to its descent; no letter does.
    const lines = [...range.getClientRects()].filter((r) => r.width > 0 && r.height > 0).map((r) =>
      ({ left: r.left, right: r.right, top: r.top + r.height * 0.15, bottom: r.bottom - r.height * 0.05 }));
    if (lines.length) texts.push({ node, e, lines, text: node.data });
  }

  // --- cut -----------------------------------------------------------------------
  // clipTo gives the part of a line that can be seen or scrolled to, and tells of what
  // cannot.
  const clipTo = (t, line) => {
    let r = { ...line }, cut = null, scrolled = false;
    for (const a of ancestors(t.e)) {
      if (isRoot(a)) break;
      const s = style(a);
      if (isPaint(a) || a.localName !== 'svg' && /^(inline|contents)$/.test(s.display)) continue;
      const b = box(a);
      for (const [axis, from, to] of [['overflowX', 'left', 'right'], ['overflowY', 'top', 'bottom']]) {
        const slack = from === 'top' ? 2 : 1;
        if (isClip(s[axis]) && (r[from] < b[from] - slack || r[to] > b[to] + slack)) {
          const whole = s.textOverflow === 'ellipsis' && axis === 'overflowX' && [...ancestors(t.e)].some((x) => x.title && x.title.includes(t.text.trim()));
          if (!whole) cut = cut || `${px(Math.max(b[from] - r[from], r[to] - b[to]))} are outside of ${where(a)}`;
        }
        if (isScroll(s[axis])) scrolled = true;
        if (isClip(s[axis]) || isScroll(s[axis])) {
          r[from] = Math.max(r[from], b[from]);
          r[to] = Math.min(r[to], b[to]);
        }
      }
      if (s.position === 'fixed') break;
    }
    if (!cut && !scrolled) {
      const width = root.clientWidth;
      if (r.left + scrollX < -1) cut = `${px(-r.left - scrollX)} are left of the page`;
      if (r.top + scrollY < -1) cut = `${px(-r.top - scrollY)} are above the page`;
      if (r.right + scrollX > width + 1) cut = `${px(r.right + scrollX - width)} are right of the window`;
    }
    return { r, cut };
  };
  for (const t of texts) {
    const clipped = t.lines.map((line) => clipTo(t, line));
    const cut = clipped.find((c) => c.cut);
    if (cut) fault('cut', t.text, t.e, cut.cut);
    t.lines = clipped.map((c) => c.r).filter((r) => r.right > r.left && r.bottom > r.top);
  }

  // --- overlap -------------------------------------------------------------------
  // What sticks or is fixed lies over the rest, which is as it should be if it hides it.
  const layer = memo((e) => [...ancestors(e)].find((a) => /^(sticky|fixed)$/.test(style(a).position)) || null);
  const covers = (l, other) => l && !l.contains(other.e) && [l, ...l.querySelectorAll('*')].some((x) => alphaOf(style(x).backgroundColor) === 1);
  const lines = texts.flatMap((t) => t.lines.map((r) => ({ t, r }))).sort((a, b) => a.r.top - b.r.top);
  const told = new Set();
  for (let i = 0; i < lines.length; i++) {
    for (let j = i + 1; j < lines.length && lines[j].r.top < lines[i].r.bottom - 2; j++) {
      const [a, b] = [lines[i], lines[j]];
      if (a.t === b.t || told.has(a.t)) continue;
      const x = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left);
      const y = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top);
      if (x <= 2 || y <= 2 || covers(layer(a.t.e), b.t) || covers(layer(b.t.e), a.t)) continue;
      told.add(a.t);
      fault('overlap', a.t.text, a.t.e, `${px(x)} by ${px(y)} of it are on ${JSON.stringify(b.t.text.trim().slice(0, 60))} in ${where(b.t.e)}`);
    }
  }

  // --- contrast ------------------------------------------------------------------
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const luminance = (c) => {
    const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
  const faded = (c, alpha) => c && [c[0], c[1], c[2], c[3] * alpha];
  const own = style(root).colorScheme, said = document.querySelector('meta[name=color-scheme]')?.content;
  const schemes = own === 'normal' ? said || '' : own;
  const canvas = /dark/.test(schemes) && (!/light/.test(schemes) || matchMedia('(prefers-color-scheme: dark)').matches) ? [18, 18, 18, 1] : [255, 255, 255, 1];
  const background = memo((e) => {
    const chain = [];
    for (const a of ancestors(e)) {
      if (isPaint(a)) continue;
      const c = parse(style(a).backgroundColor);
      if (c && c[3] > 0) chain.push(c);
      if (c && c[3] === 1) break;
    }
    return chain.reduceRight((under, c) => over(c, under), canvas);
  });

  // Shapes of a drawing that are filled, in the order in which they are painted.
  const shapes = memo((svg) => [...svg.querySelectorAll('rect, path, circle, ellipse, polygon, polyline')].filter((e) =>
    !e.closest('defs, clipPath, mask, pattern, marker, symbol') && isSeen(e) && style(e).fill !== 'none'));
  const fillOf = (e) => faded(parse(style(e).fill), parseFloat(style(e).fillOpacity) * opacity(e));
  const under = (t, x, y) => {
    let colour = background(t.e);
    for (const shape of shapes(t.e.ownerSVGElement)) {
      if (!(shape.compareDocumentPosition(t.e) & Node.DOCUMENT_POSITION_FOLLOWING)) break;
      const b = box(shape);
      if (x < b.left || x > b.right || y < b.top || y > b.bottom) continue;
      const c = fillOf(shape);
      if (c && shape.isPointInFill(new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse()))) colour = over(c, colour);
    }
    return colour;
  };
  const halo = (s) => /^stroke/.test(s.paintOrder) && s.stroke !== 'none' && parseFloat(s.strokeWidth) >= 2 ? parse(s.stroke) : null;
  const backgrounds = (t) => {
    if (!isPaint(t.e)) return [background(t.e)];
    const around = halo(style(t.e));
    if (around && around[3] === 1) return [around];
    return t.lines.slice(0, 1).flatMap((r) => [0.1, 0.5, 0.9].map((at) => under(t, r.left + (r.right - r.left) * at, (r.top + r.bottom) / 2)));
  };
  // In a drawing, letters are as large as it is scaled.
  const size = (e) => parseFloat(style(e).fontSize) * (isPaint(e) ? Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) : 1);
  for (const t of texts) {
    if (!t.lines.length || t.e.closest(':disabled')) continue;
    const s = style(t.e), letters = size(t.e);
    if (letters < 8) fault('small', t.text, t.e, `its letters are drawn at ${px(letters)}`);
    const colour = isPaint(t.e) ? fillOf(t.e) : faded(parse(s.color), opacity(t.e));
    if (!colour) { fault('contrast', t.text, t.e, `cannot read its colour ${isPaint(t.e) ? s.fill : s.color}`); continue; }
    const worst = Math.min(...backgrounds(t).map((b) => ratio(over(colour, b), b)));
    const wanted = letters >= 24 ? 3 : 4.5;
    if (worst < wanted - 0.005) fault('contrast', t.text, t.e, `${worst.toFixed(2)}:1, want ${wanted}:1`);
  }

  // --- scroll --------------------------------------------------------------------
  const wide = Math.max(root.scrollWidth, document.body.scrollWidth);
  if (wide > root.clientWidth + 1 && ![root, document.body].some((e) => isClip(style(e).overflowX))) {
    const widest = [...document.body.querySelectorAll('*')].filter((e) => box(e).right > root.clientWidth + 1).pop() || root;
    fault('scroll', '', widest, `the page is ${wide} px wide in a window of ${root.clientWidth} px`);
  }
  return faults;
})()
