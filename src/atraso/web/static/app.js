// Begins the page: one document with all views, of which one is shown. The address says which.

import * as airport from "./airport.js";
import * as board from "./board.js";
import { byId } from "./dom.js";
import * as flight from "./flight.js";
import * as form from "./form.js";
import * as login from "./login.js";
import * as model from "./model.js";
import * as names from "./names.js";
import * as words from "./words.js";

const PATHS = { "/": "flight", "/board": "board", "/airport": "airport", "/model": "model", "/form": "form" };
const VIEWS = { flight, board, airport, model, form };

const viewNow = () => PATHS[location.pathname] || "flight";

function show({ focus = false } = {}) {
  const now = viewNow();
  for (const name of Object.keys(VIEWS)) byId(`view-${name}`).hidden = name !== now;
  for (const link of document.querySelectorAll("nav.views a")) {
    if (link.dataset.view === now) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${byId(`view-${now}`).dataset.title} · Atraso`;
  VIEWS[now].open?.(now === "flight" ? new URLSearchParams(location.search) : undefined);
  tellSwitch();
  if (focus) byId("content").focus({ preventScroll: true });
}

// The switch of languages leads to what is shown now.
function tellSwitch() {
  const link = document.querySelector("a.switch");
  const query = new URLSearchParams(location.search);
  query.set("lang", link.hreflang);
  link.href = `${location.pathname}?${query}`;
}

function follow(event) {
  const link = event.target.closest("a[data-view], a.switch");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  if (link.matches(".switch")) { speak(link); return; }
  history.pushState(null, "", link.getAttribute("href"));
  show({ focus: true });
  window.scrollTo(0, 0);
}

// The page in the other language takes this one's place, so that who one is and an opened file are not forgotten.
async function speak(link) {
  tellSwitch();
  let text;
  try {
    text = await (await fetch(link.href, { headers: { accept: "text/html" } })).text();
  } catch {
    location.assign(link.href);
    return;
  }
  const other = new DOMParser().parseFromString(text, "text/html");
  document.documentElement.lang = other.documentElement.lang;
  for (const name of ["words", "facts"]) {
    document.querySelector(`meta[name="${name}"]`).content = other.querySelector(`meta[name="${name}"]`).content;
  }
  document.body.replaceWith(other.body);
  begin();
  document.querySelector("a.switch").focus();
}

function begin() {
  words.load();
  names.load();
  login.start(() => show());
  flight.start();
  board.start();
  airport.start();
  form.start();
  document.documentElement.dataset.ready = "true";
  show();
}

document.addEventListener("click", follow);
window.addEventListener("popstate", () => show());
// What the server rendered is painted first. A page that nobody sees has no frames to wait for.
if (document.hidden) begin();
else requestAnimationFrame(() => setTimeout(begin));
