// Keeps the page new while it is looked at, and finds while one types. Without it the
// page is loaded anew every five seconds, and found by the button.
"use strict";
(() => {
  const live = document.getElementById("live");
  const q = document.getElementById("q");
  const every = 2000;
  let asked = null, timer = 0;

  const address = () => q.value.trim() ? "?q=" + encodeURIComponent(q.value.trim()) : "./";

  async function show() {
    clearTimeout(timer);
    asked?.abort();
    const mine = asked = new AbortController(), began = performance.now();
    try {
      const answer = await fetch(address(), { signal: mine.signal });
      if (!answer.ok) throw new Error(answer.status + " " + answer.statusText);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      // Who marks something to copy it keeps it.
      if (document.getSelection().isCollapsed) live.replaceChildren(...next.childNodes);
    } catch (err) {
      if (mine.signal.aborted) return;
      const clock = document.getElementById("clock");
      clock.className = "bad";
      clock.textContent = "The collector does not answer; what is below is old.";
    }
    // Who takes long to answer has much to look at, and is asked less often.
    if (!document.hidden) timer = setTimeout(show, Math.max(every, 5 * (performance.now() - began)));
  }

  let typed = 0;
  q.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => { history.replaceState(null, "", address()); show(); }, 150);
  });
  q.form.addEventListener("submit", (event) => { event.preventDefault(); history.replaceState(null, "", address()); show(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else show(); });
  timer = setTimeout(show, every);
})();
