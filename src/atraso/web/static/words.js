// The page's words, numbers and times in its language. serving/words.py follows the same rules for what it shows itself.

let table = { script: {}, api: [] };
let known = {};
let patterns = [];

const read = (name) => JSON.parse(document.querySelector(`meta[name="${name}"]`).content);
const BLANK = /\{(\w+)\}/g;
const FRACTION = /^\d+\.\d+$/;

export function load() {
  table = read("words");
  known = read("facts");
  patterns = table.api.map(([english, told]) => {
    const parts = english.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return [new RegExp(`^${parts.join("(.*?)")}$`, "s"), told];
  });
}

export const facts = () => known;
export const language = () => document.documentElement.lang;

export function t(key, values = {}) {
  const text = table.script[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(BLANK, (_, name) => values[name]);
}

// A sentence of the API in the page's language; one that the table has not stays as it is.
export function fromApi(text) {
  for (const [pattern, told] of patterns) {
    const found = pattern.exec(text);
    if (found) return told.replace(BLANK, (_, place) => fromApi(found[Number(place) + 1]));
  }
  return FRACTION.test(text) ? decimal(text) : text;
}

export const halfUp = (number) => Math.floor(number + 0.5);
const spanish = () => language() === "es";
const percentSign = () => (spanish() ? "\u202f%" : "%");
export const decimal = (text) => (spanish() ? text.replace(".", ",") : text);
export const count = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, spanish() ? "." : ",");

export function percent(probability) {
  if (probability > 0 && probability < 0.01) return `<1${percentSign()}`;
  if (probability > 0.99 && probability < 1) return `>99${percentSign()}`;
  return `${halfUp(100 * probability)}${percentSign()}`;
}

// For objectives, where the digits behind the nines are what matters.
export function finePercent(share, digits = 3) {
  const cut = Math.floor(share * 100 * 10 ** digits + 1e-9) / 10 ** digits;
  return `${decimal(String(cut))}${percentSign()}`;
}

export function minutesInWords(late) {
  if (late === 0) return t("minutes.none");
  return t(late > 0 ? "minutes.late" : "minutes.early", { minutes: Math.abs(late) });
}

// Times of the API carry the airport's own clock: they are shown as written, wherever the reader is.
export const clock = (iso) => iso.slice(11, 16);

// A moment by the clock of *zone*, as the language writes it.
export const momentInWords = (iso, zone) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short", timeZone: zone }).format(new Date(iso));

// A time with another offset than the zone's is told by the zone's clock; all others are as they are written.
export function localTime(iso, zone) {
  const moment = /(Z|[+-]\d\d:?\d\d)$/i.test(iso) ? new Date(iso.replace(" ", "T")) : new Date(NaN);
  if (Number.isNaN(moment.getTime())) return iso;
  return new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: zone }).format(moment);
}

export function dateInWords(date) {
  const [year, month, day] = date.split("-").map(Number);
  const moment = new Date(Date.UTC(year, month - 1, day));
  if (Number.isNaN(moment.getTime())) return date;
  const form = { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  return new Intl.DateTimeFormat(language(), form).format(moment);
}

export const folded = (name) =>
  name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/\s+/g, " ").trim().toUpperCase();
