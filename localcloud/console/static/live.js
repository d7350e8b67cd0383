// Keeps what a page shows up to date: asks for the page again, and replaces the sections that have changed.
"use strict";
const SECONDS = 5;
const button = document.getElementById("live");
let paused = false;

const inUse = (section) => section.contains(document.activeElement) && document.activeElement.matches("input, select")
  || (!getSelection().isCollapsed && section.contains(getSelection().anchorNode));

async function refresh() {
  if (paused || document.hidden) return;
  let text;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) throw new Error(response.statusText);
    text = await response.text();
    document.body.classList.remove("away");
    button.textContent = "Pause updates";
  } catch {
    button.textContent = "The cloud does not answer";
    return;
  }
  // Without its head: the browser would complain about the style there, whose nonce is that of another response.
  const page = new DOMParser().parseFromString(text.slice(text.indexOf("<body")), "text/html");
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(fresh.id);
    if (!shown || shown.dataset.text === fresh.innerHTML || inUse(shown)) continue;
    const open = [...shown.querySelectorAll("details")].map((details) => details.open);
    if (shown.innerHTML !== fresh.innerHTML) shown.innerHTML = fresh.innerHTML;
    shown.dataset.text = fresh.innerHTML;
    shown.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? details.open; });
  }
}

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

if (document.querySelector("[data-live]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume updates" : "Pause updates";
    button.setAttribute("aria-pressed", paused);
  });
  setInterval(refresh, SECONDS * 1000);
}
