// Asking the service: who one is lives in this module's memory alone, and every refusal becomes a sentence and a way on.

import { el, say } from "./dom.js";
import { fromApi, t } from "./words.js";

let authorization = "";
let askWho = null; // resolves to true once somebody has shown who they are; null where nobody is asked
let lose = null; // tells that what was shown counts no more

export class Trouble extends Error {
  constructor(kind, sentence, { waitS = 0, places = [] } = {}) {
    super(sentence);
    this.kind = kind;
    this.waitS = waitS;
    this.places = places;
  }
}

export const isKnown = () => Boolean(authorization);
export function enterAs(header) { authorization = header; }
export function asksWho(ask, lost = null) { [askWho, lose] = [ask, lost]; }

// The answer as JSON (or as it is, with `raw`); what is wrong is thrown as a Trouble.
export async function ask(path, { method = "GET", body, type = "application/json", raw = false, quiet = false } = {}) {
  let sentence = "";
  for (;;) {
    if (askWho && !authorization) {
      if (quiet || !(await askWho(sentence))) throw new Trouble("401", t("trouble.401"));
    }
    const headers = {};
    if (body !== undefined) headers["content-type"] = type;
    if (authorization) headers.authorization = authorization;
    let response;
    try {
      response = await fetch(path, { method, headers, body, cache: "no-store" });
    } catch {
      throw new Trouble("down", t("trouble.down"));
    }
    if (response.ok) return raw ? response.text() : response.json();
    const trouble = await troubleOf(response);
    if (trouble.kind !== "401" || !askWho) throw trouble;
    authorization = "";
    sentence = t("trouble.401.again");
    lose();
    if (quiet) throw new Trouble("401", sentence);
  }
}

async function troubleOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch { /* something in between answered, not the service */ }
  const status = response.status;
  const places = (problem.errors || []).map((place) => ({ ...place, detail: fromApi(place.detail) }));
  const waitS = Math.max(1, Number(response.headers.get("retry-after")) || 5);
  if (status === 401) return new Trouble("401", t("trouble.401"));
  if (status === 403) return new Trouble("403", t("trouble.403"));
  if (status === 404) return new Trouble("404", problem.detail || "");
  if (status === 429) return new Trouble("429", t("trouble.429", { seconds: waitS }), { waitS });
  if (status === 503) return new Trouble("503", t("trouble.503", { seconds: waitS }), { waitS });
  if (status === 400 || status === 422 || status === 413) {
    return new Trouble("422", fromApi(places[0]?.detail || problem.detail || ""), { places });
  }
  return new Trouble("other", t("trouble.other", { status }));
}

const clocks = new WeakMap();

// A sentence with a button that leads on; a wait counts down, then the same is asked again by itself. *calm* moves nobody:
// it was not asked for.
export function tellTrouble(place, trouble, again, { label = "", calm = false } = {}) {
  clearInterval(clocks.get(place));
  if (!trouble) {
    place.hidden = true;
    place.replaceChildren();
    return;
  }
  const sentence = el("p", {}, trouble.message);
  const button = el("button", { type: "button" }, label || t(trouble.kind === "401" ? "enter" : "again"));
  const go = () => {
    tellTrouble(place, null);
    again();
  };
  button.addEventListener("click", go);
  place.replaceChildren(sentence, button);
  place.hidden = false;
  // Below a form it would be out of sight; and who closed the log-in by key goes on from here.
  if (!calm) place.scrollIntoView({ block: "nearest" });
  const active = document.activeElement;
  if (!calm && (active === document.body || active.closest("dialog"))) button.focus({ preventScroll: true });
  if (!trouble.waitS) return;
  let left = trouble.waitS;
  clocks.set(place, setInterval(() => {
    left -= 1;
    if (left > 0) say(sentence, t(`trouble.${trouble.kind}`, { seconds: left }));
    else go();
  }, 1000));
}
