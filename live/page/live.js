// Puts the newest parts of a page in the place of the old ones, as they come.
//
// A part is what is inside an element, by its id. What people did to it stays: what is folded
// open, how far it is scrolled, and where the keyboard is. Whoever draws into a part hears the
// event "live:part" on it.
(() => {
  "use strict";

  const told = document.getElementById("live-state");
  const tell = (state, text) => {
    document.documentElement.dataset.live = state;
    if (told && told.textContent !== text) told.textContent = text;
  };

  // What people can do to the inside of an element, by the path to it.
  const path = (top, e) => {
    const steps = [];
    for (; e !== top; e = e.parentElement) {
      if (e.id) return steps.concat("#" + e.id).join();
      steps.push(Array.prototype.indexOf.call(e.parentElement.children, e));
    }
    return steps.join();
  };
  const left = (top) => {
    const was = new Map();
    for (const e of top.querySelectorAll("*")) {
      if (e.localName === "details" || e.scrollLeft || e.scrollTop || e === document.activeElement || e.localName === "input" || e.localName === "select")
        was.set(path(top, e), e);
    }
    return was;
  };
  const restore = (top, was, active) => {
    for (const e of top.querySelectorAll("*")) {
      const old = was.get(path(top, e));
      if (!old || old.localName !== e.localName) continue;
      if (e.localName === "details") e.open = old.open;
      if (e.localName === "input" && e.type !== "hidden") e.value = old.value;
      if (e.localName === "select" && [...e.options].some((o) => o.value === old.value)) e.value = old.value;
      if (old === active) e.focus({ preventScroll: true });
      if (old.dataset.left) [e.scrollLeft, e.scrollTop] = old.dataset.left.split(",").map(Number);
    }
  };
  const put = (part) => {
    const top = document.getElementById(part.id);
    if (!top) return false;
    const was = left(top), active = document.activeElement;
    for (const e of was.values()) if (e.scrollLeft || e.scrollTop) e.dataset.left = e.scrollLeft + "," + e.scrollTop;
    const [x, y] = [scrollX, scrollY];
    top.innerHTML = part.html;
    restore(top, was, active);
    if (scrollX !== x || scrollY !== y) scrollTo(x, y);
    top.dispatchEvent(new CustomEvent("live:part", { bubbles: true, detail: part.id }));
    return true;
  };

  let source = null, over = false;
  const close = () => { if (source) source.close(); source = null; };
  const open = () => {
    if (source || over) return;
    source = new EventSource("events");
    source.addEventListener("parts", (e) => {
      tell("on", "live");
      for (const part of JSON.parse(e.data)) put(part);
    });
    source.addEventListener("another", () => { close(); location.reload(); });
    source.addEventListener("end", () => {
      over = true;
      close();
      tell("over", "ended");
    });
    source.addEventListener("error", () => {
      if (over || !source) return;
      if (source.readyState === EventSource.CLOSED) {
        close();
        tell("lost", "not live: too many windows look on, or the program has ended");
      } else tell("lost", "connection lost: the run has ended, or is out of reach; trying again");
    });
  };
  // A browser has six connections for all windows of one address: who is not seen needs none.
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  if (!document.hidden) open();
})();
