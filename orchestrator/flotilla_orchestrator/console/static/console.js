"use strict";
// Everything works without this: it keeps pages up to date, counts down, and sends each form once.
{
const regions = () => document.querySelectorAll("[data-live]");

// As the server rendered it, without what counts down by itself.
function rendered(region) {
  const copy = region.cloneNode(true);
  copy.querySelectorAll("time[data-until]").forEach((time) => { time.textContent = ""; });
  return copy.innerHTML;
}
const shown = new Map([...regions()].map((region) => [region.id, rendered(region)]));

// Whether somebody is at work in it: a form that moves under a pointer is answered wrongly.
function busy(region) {
  const active = document.activeElement;
  if (region.contains(active) && active.matches("input, textarea, select, button[type=submit]")) return true;
  return [...region.querySelectorAll("textarea, input:not([type=hidden])")].some((one) => one.value !== one.defaultValue);
}

let loading = false, again = false;
async function load() {
  if (loading) { again = true; return; }
  loading = true;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) { location.reload(); return; }
    if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { again = false; } finally {
    loading = false;
    if (again) { again = false; setTimeout(load, 500); }
  }
}

function replace(page) {
  let waits = false;
  for (const region of regions()) {
    const fresh = page.getElementById(region.id);
    if (!fresh) { location.reload(); return; }
    const text = rendered(fresh);
    if (shown.get(region.id) === text) continue;
    if (busy(region)) { waits = true; continue; }
    const link = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const open = [...region.querySelectorAll("details[open]")].map((one) => one.id).filter(Boolean);
    region.replaceChildren(...fresh.childNodes);
    shown.set(region.id, text);
    open.forEach((id) => { const one = document.getElementById(id); if (one) one.open = true; });
    if (link) { const one = region.querySelector(`a[href="${CSS.escape(link)}"]`); if (one) one.focus({ preventScroll: true }); }
  }
  if (stream && !page.querySelector("main[data-changes]")) { stream.close(); stream = null; main.removeAttribute("data-changes"); }
  const notice = document.getElementById("changed");
  if (notice) notice.hidden = !waits;
  count();
  document.dispatchEvent(new Event("replaced"));
}

const main = document.querySelector("main[data-changes]");
let stream = null, digest = main ? main.dataset.digest : "";
function follow() {
  if (!main || !main.dataset.changes || stream || document.hidden) return;
  stream = new EventSource(main.dataset.changes);
  stream.addEventListener("state", (event) => {
    if (event.data !== digest) { digest = event.data; load(); }
  });
  stream.addEventListener("error", () => {
    if (stream && stream.readyState === EventSource.CLOSED) { stream = null; setTimeout(follow, 5000); }
  });
}
// Browsers open six connections to an address: a page that nobody looks at keeps none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden && stream) { stream.close(); stream = null; }
  follow();
});
follow();

function count() {
  document.querySelectorAll("time[data-until]").forEach((time) => {
    const s = Math.round((Date.parse(time.getAttribute("datetime")) - Date.now()) / 1000);
    const h = Math.floor(s / 3600), m = Math.floor(s % 3600 / 60), d = Math.floor(h / 24);
    time.textContent = s <= 0 ? "over" : d > 1 ? `in ${d} d ${h % 24} h` : h ? `in ${h} h ${m} min` : m ? `in ${m} min ${s % 60} s` : `in ${s} s`;
    time.classList.toggle("soon", s < 600);
  });
}
count();
setInterval(count, 1000);

document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
});
document.querySelectorAll("select[data-submits]").forEach((select) => {
  select.addEventListener("change", () => select.form.requestSubmit());
});
}
