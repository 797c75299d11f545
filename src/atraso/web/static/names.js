// What people call airlines and places: the lists of the page's form are the model's own.

import { byId } from "./dom.js";
import { folded } from "./words.js";

const lists = {};

export function load() {
  for (const kind of ["airlines", "destinations"]) {
    lists[kind] = [...byId(kind).options].map((option) => {
      const { name, iata, also = "" } = option.dataset;
      const icao = option.value;
      return { icao, iata, name, keys: [folded(name), iata, icao], also: also.split("|") };
    });
  }
}

export const entries = (kind) => lists[kind];
const named = (kind, code) => lists[kind].find((entry) => entry.icao === code || (code && entry.iata === code));
export const airlineName = (code) => named("airlines", code)?.name || code;
export const airlineCode = (code) => named("airlines", code)?.iata || code;
export const placeName = (code) => named("destinations", code)?.name || code;
export const shown = (entry) => `${entry.name} (${entry.iata || entry.icao})`;
export const shownCode = (kind, code) => {
  const entry = named(kind, code);
  return entry ? shown(entry) : code;
};

// What is meant by what was typed: a chosen entry, a name, or a code, known or not.
export function meant(kind, text) {
  const typed = folded(text);
  if (!typed) return ""; // or it would be whoever has no IATA code
  const entry = lists[kind].find((one) => folded(shown(one)) === typed || one.keys.includes(typed))
    || lists[kind].find(({ also }) => also.includes(typed));
  return entry ? entry.icao : text.trim();
}

// Entries that fit what was typed: codes first, then names that begin so, then words of names.
export function fitting(kind, text) {
  const typed = folded(text);
  if (!typed) return lists[kind];
  const rank = ({ keys: [name, iata, icao], also }) => {
    if (iata === typed || icao === typed) return 0;
    if (name.startsWith(typed)) return 1;
    if (name.split(/[^A-Z0-9]+/).some((word) => word.startsWith(typed))) return 2;
    if (also.some((other) => other.startsWith(typed))) return 3;
    return (iata && iata.startsWith(typed)) || icao.startsWith(typed) ? 4 : 9;
  };
  return lists[kind].map((entry, place) => [rank(entry), place, entry])
    .filter(([of]) => of < 9).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , entry]) => entry);
}
