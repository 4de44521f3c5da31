// Has the forms of the workshop sent without loading the page again; what came of it is
// told by the live page.
(() => {
  "use strict";
  const aside = document.getElementById("workshop");
  if (!aside) return;
  aside.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = new URLSearchParams(new FormData(event.target, event.submitter));
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      await fetch(event.target.action, { method: "POST", body: asked, headers: { Accept: "application/json" } });
    } catch (error) {
      if (button) button.textContent = "out of reach";
      return;
    }
    // The part is usually another one by now.
    if (button && button.isConnected) button.disabled = false;
  });
})();
