// Has the forms of the moves sent without loading the page again. While a move is under
// way no other can be made; what became of it is told where the live page tells it too.
(() => {
  "use strict";
  const moves = document.getElementById("moves");
  if (!moves) return;
  const told = () => document.getElementById("moves-told");
  const tell = (text, bad) => {
    const p = document.createElement("p");
    p.className = bad ? "told bad" : "told";
    p.textContent = text;
    told().replaceChildren(p);
  };
  let under = false;
  const buttons = (off) => { for (const b of moves.querySelectorAll("button")) b.disabled = off; };
  moves.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (under) return;
    const form = event.target, asked = new URLSearchParams(new FormData(form, event.submitter));
    under = true;
    buttons(true);
    tell((asked.getAll("move").join(" ") || "the end") + " … is under way");
    try {
      const answer = await fetch(form.action, { method: "POST", body: asked, headers: { Accept: "application/json" } });
      const said = await answer.json();
      if (!answer.ok) tell("refused: " + said.error, true);
    } catch (error) {
      tell("It is out of reach: it has ended, or the connection is lost.", true);
    }
    under = false;
    buttons(false);
    if (event.submitter && event.submitter.isConnected) event.submitter.focus({ preventScroll: true });
  });
})();
