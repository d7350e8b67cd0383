// What the theme leaves out for people who listen to a page, or have no mouse.
document.addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.ariaLevel = "2";
  for (const region of document.querySelectorAll(".table-wrapper, pre")) region.tabIndex = 0;
});
