// What the page does beyond forms and links. Everything works without it but for what is live.
"use strict";

// The filter of a list: rows that do not hold every word go away.
function filterRows(input) {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll(`${input.dataset.filter} [data-words]`)) {
    const text = row.dataset.words.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) filterRows(event.target);
});

// A log keeps its last lines only, and follows its end unless somebody reads further up.
function trim(log) {
  const most = Number(log.dataset.tail);
  while (log.children.length > most) log.firstElementChild.remove();
}

const atEnd = new WeakMap();
document.addEventListener("scroll", (event) => {
  const log = event.target;
  if (!(log instanceof Element) || !log.matches("[data-tail]")) return;
  atEnd.set(log, log.scrollHeight - log.scrollTop - log.clientHeight < 24);
}, true);

document.addEventListener("htmx:sse:after:message", (event) => {
  const place = event.target;
  if (!(place instanceof Element)) return;
  if (place.matches("[data-tail]")) {
    trim(place);
    if (atEnd.get(place) !== false) place.scrollTop = place.scrollHeight;
  }
  document.querySelectorAll("[data-filter]").forEach(filterRows);
  // What only makes sense while something runs goes when it has ended.
  for (const each of document.querySelectorAll("[data-while]")) {
    each.hidden = !document.querySelector(each.dataset.while);
  }
});

// A button that was pressed says so, and is not pressed twice.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button === null || event.target.method !== "post") return;
  // After the form was sent: a disabled button's own value would not be.
  setTimeout(() => { button.setAttribute("aria-busy", "true"); button.disabled = true; }, 0);
});

// Coming back by the browser's history, it can be pressed again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});
