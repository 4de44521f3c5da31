// Puts the newest parts of a page in the place of the old ones, as they come.
(() => {
  "use strict";
  const fill = (window.throughline && window.throughline.fill) || ((id, html) => {
    const top = document.getElementById(id);
    if (top) top.innerHTML = html;
  });
  // The keyboard stays where it was, but never comes to a button that does something else.
  const put = (part) => {
    const before = document.activeElement;
    fill(part.id, part.html);
    const now = document.activeElement;
    if (now !== before && now.localName === "button" && now.value !== before.value) now.blur();
  };
  let told = document.getElementById("live-state");
  if (!told) {
    told = document.createElement("p");
    told.id = "live-state";
    told.setAttribute("role", "status");
    (document.querySelector("footer") || document.body).append(told);
  }
  const tell = (state, text) => {
    document.documentElement.dataset.live = state;
    if (told.textContent !== text) told.textContent = text;
  };

  let source = null, over = false;
  const close = () => { if (source) source.close(); source = null; };
  const open = () => {
    if (source || over) return;
    source = new EventSource("events");
    source.addEventListener("parts", (e) => {
      tell("on", "live");
      for (const part of JSON.parse(e.data)) {
        if (part.id === "title") document.title = part.html; // as text
        else put(part);
      }
    });
    source.addEventListener("another", () => { close(); location.reload(); });
    source.addEventListener("end", () => { over = true; close(); tell("over", "It has ended; nothing changes any more."); });
    source.addEventListener("error", () => {
      if (over || !source) return;
      if (source.readyState !== EventSource.CLOSED) {
        tell("lost", "The connection is lost: it has ended, or is out of reach. Trying again.");
        return;
      }
      close();
      tell("lost", "This page is not live: as many windows look on as may, or it has ended.");
    });
  };
  // A browser has six connections for all windows of one address: who is not seen needs none.
  document.addEventListener("visibilitychange", () => document.hidden ? close() : open());
  if (!document.hidden) open();
})();
