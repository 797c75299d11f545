// Asking the service about many flights, in parts: what is wrong is put aside, what passes is waited for.

import { ask, tellTrouble } from "./api.js";
import { byId, say } from "./dom.js";
import { count, t } from "./words.js";

const AT_A_TIME = 500;
// What passes by itself, or by showing who one is: afterwards it goes on where it was.
const PASSING = new Set(["down", "401", "429", "503"]);

let stopped = false;
let goOn = null;

const breath = () => new Promise((resolve) => { setTimeout(resolve); });

// Asks about *asked* in parts, keeps each answer, and returns the rows that are refused with what is wrong with them.
// *current* tells whether anybody still wants them.
export async function score(asked, { quiet = false, current }) {
  const rejects = [];
  stopped = false;
  if (!quiet) progress(0, asked.length);
  for (let start = 0; start < asked.length && !stopped; start += AT_A_TIME) {
    let part = asked.slice(start, start + AT_A_TIME);
    while (part.length && current() && !stopped) {
      try {
        const body = JSON.stringify({ flights: part.map((row) => row.flight) });
        const { predictions } = await ask("/v1/predictions", { method: "POST", body, quiet });
        part.forEach((row, i) => { row.answer = predictions[i]; row.element = null; });
        break;
      } catch (trouble) {
        const wrong = wrongRows(trouble, part.length);
        if (!wrong.size) {
          if (quiet || !PASSING.has(trouble.kind)) throw trouble;
          await passed(trouble);
          continue;
        }
        wrong.forEach((why, i) => rejects.push({ row: part[i].row, why, of: part[i] }));
        part = part.filter((_, i) => !wrong.has(i));
      }
    }
    if (!current()) return rejects;
    if (!quiet) progress(Math.min(start + AT_A_TIME, asked.length), asked.length);
    await breath();
  }
  progress(0, 0);
  return rejects;
}

export const wasStopped = () => stopped;

// Ends the asking; what has been answered stays.
export function stop() {
  stopped = true;
  if (!goOn) return;
  tellTrouble(byId("board-notice"), null);
  goOn();
}

// Waits with its sentence until the reader, or the clock, says to ask again; what is scored is kept.
function passed(trouble) {
  return new Promise((resolve) => {
    goOn = () => {
      goOn = null;
      resolve();
    };
    tellTrouble(byId("board-notice"), trouble, () => goOn?.());
  });
}

// Which flights of a refused request are wrong, and how: places are "/flights/3/airline".
function wrongRows(trouble, length) {
  const wrong = new Map();
  for (const { pointer, detail } of trouble.places || []) {
    const [, list, at, field = ""] = pointer.split("/");
    const place = Number(at);
    if (list !== "flights" || !(place < length) || at === undefined) return new Map();
    const words = field ? `${field}: ${detail}` : detail;
    wrong.set(place, wrong.has(place) ? `${wrong.get(place)}; ${words}` : words);
  }
  return wrong;
}

export function progress(done, all) {
  const place = byId("board-progress");
  place.hidden = all <= AT_A_TIME || done >= all;
  byId("board-bar").value = all ? done / all : 0;
  say(byId("board-bar-words"), t("board.progress", { done: count(done), all: count(all) }));
}

