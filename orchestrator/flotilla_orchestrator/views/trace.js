"use strict";
// Nothing of the page is kept here: the console replaces it while a run is at work.
{
const byId = (id) => document.getElementById(id);
let pinned = null, zoom = 1;

const links = (id) => document.querySelectorAll(`svg a[href="#${id}"]`);
const linkOf = (event) => event.target.closest ? event.target.closest("svg a") : null;
const idOf = (link) => link.getAttribute("href").slice(1);

// The details of a bar are its row in the tables below, shown as a list.
function show(id) {
  const row = byId(id), panel = byId("panel");
  if (!row || row.tagName !== "TR") return;
  document.querySelectorAll(".on").forEach((one) => one.classList.remove("on"));
  links(id).forEach((link) => link.classList.add("on"));
  row.classList.add("on");
  const list = document.createElement("dl");
  const titles = row.closest("table").tHead.rows[0].cells;
  [...row.cells].forEach((cell, column) => {
    if (!cell.textContent.trim()) return;
    const title = document.createElement("dt"), said = document.createElement("dd");
    title.textContent = titles[column].textContent;
    said.append(...[...cell.childNodes].map((node) => node.cloneNode(true)));
    list.append(title, said);
  });
  panel.replaceChildren(list);
  // Never over the bar itself.
  panel.classList.toggle("top", links(id)[0].getBoundingClientRect().top > window.innerHeight / 2);
  panel.classList.toggle("pinned", pinned === id);
  panel.hidden = false;
}

function hide() {
  pinned = null;
  const panel = byId("panel");
  if (!panel) return;
  panel.hidden = true;
  panel.classList.remove("pinned");
  document.querySelectorAll(".on").forEach((one) => one.classList.remove("on"));
}

function pin(id) {
  if (pinned === id) return hide();
  pinned = id;
  show(id);
}

for (const name of ["mouseover", "focusin"]) {
  document.addEventListener(name, (event) => { const link = linkOf(event); if (link && !pinned) show(idOf(link)); });
}
for (const name of ["mouseout", "focusout"]) {
  document.addEventListener(name, (event) => { if (linkOf(event) && !pinned) hide(); });
}
document.addEventListener("click", (event) => {
  const link = linkOf(event), button = event.target.closest("button[data-zoom]");
  if (link) { event.preventDefault(); pin(idOf(link)); }
  if (button) zooms[button.dataset.zoom]();
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

// A name stands beside its bar only where there is room for it.
function label() {
  const chart = byId("chart");
  if (!chart) return;
  const width = chart.clientWidth;
  chart.querySelectorAll("text[data-room]").forEach((text) => {
    text.classList.toggle("tight", width * text.dataset.room / 100 < text.textContent.length * 6.8 + 8);
  });
}

function resize(factor, at = 0.5) {
  const chart = byId("chart");
  if (!chart) return;
  const view = chart.parentElement, middle = (view.scrollLeft + view.clientWidth * at) / chart.clientWidth;
  zoom = Math.min(Math.max(zoom * factor, 1), 256);
  chart.setAttribute("width", `${zoom * 100}%`);
  view.scrollLeft = middle * chart.clientWidth - view.clientWidth * at;
  label();
}

const zooms = { in: () => resize(2), out: () => resize(0.5), fit: () => resize(0) };
document.addEventListener("wheel", (event) => {
  if (!event.ctrlKey || !event.target.closest("#chart")) return;
  event.preventDefault();
  const box = byId("chart").parentElement.getBoundingClientRect();
  resize(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
}, { passive: false });
window.addEventListener("resize", label);
window.addEventListener("beforeprint", () => { hide(); resize(0); });

function begin() {
  document.querySelectorAll("button[data-zoom]").forEach((button) => { button.hidden = false; });
  resize(1);
  if (pinned) show(pinned);
}
document.addEventListener("replaced", begin);
begin();
}
