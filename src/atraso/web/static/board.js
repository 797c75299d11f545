// The board: the day's departures of the ledger, or the flights of a file, each with how likely it is to leave late.

import { ask, tellTrouble } from "./api.js";
import { csvOf, flightsOf, textOf } from "./csv.js";
import { byId, el, say, showError } from "./dom.js";
import { airlineName } from "./names.js";
import { fill, tellStatuses } from "./rows.js";
import { progress, score, stop, wasStopped } from "./scoring.js";
import { clock, count, facts, fromApi, halfUp, localTime, t } from "./words.js";

const ROWS_SHOWN = 1000;
const LOOK_EVERY_MS = 10_000;
const SCORE_AGAIN_AFTER_MS = 300_000;
const MOST_MEGABYTES = 50;
const MOST_REJECTS = 1000; // of a file that is no file of flights nobody reads them all

// One row: the question, its answer (none for what has left), when it is to leave by the airport's clock, what became of
// the flight, and its element once drawn.
let rows = [];
let file = null; // the file's name and its rows that could not be read
let sort = { by: "time", down: false };
let version = 0;
let shownRows = ROWS_SHOWN;
let turn = 0;
let looking = 0;
let day = "";
let manyDays = false;
let told = "";
let asOf = "";
let scoredAt = 0;
let lost = "";

const origin = () => byId("board-origin")?.value;

const keys = {
  time: (row) => row.at,
  flight: (row) => `${airlineName(row.flight.airline)} ${row.flight.flight_number.padStart(6)}`,
  risk: (row) => row.answer?.delay_probability ?? -1,
  by: (row) => row.answer?.minutes.p80 ?? -1000,
  status: (row) => (row.of.cancelled ? 2 : row.of.actual_departure ? 1 : 0),
};

function fitting() {
  const airline = byId("board-airline").value;
  const [from, to] = [Number(byId("board-from").value), Number(byId("board-to").value)];
  return rows.filter((row) => {
    const hour = Number(clock(row.at).slice(0, 2));
    return (!airline || row.flight.airline === airline) && hour >= from && hour < to;
  });
}

function chosen() {
  const all = byId("board-show").value === "all" || !rows.some((row) => row.answer);
  const key = keys[sort.by];
  return fitting().filter((row) => all || row.answer).map((row) => [key(row), row])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (sort.down ? -1 : 1) || (a[1].at < b[1].at ? -1 : 1))
    .map(([, row]) => row);
}

function draw() {
  const found = chosen();
  const visible = found.slice(0, shownRows);
  fill(visible, { asOf, manyDays, origin: origin() });
  byId("board").classList.toggle("of-file", Boolean(file));
  byId("board").hidden = byId("board-key").hidden = rows.length === 0;
  byId("board-export").disabled = rows.length === 0;
  byId("board-back").hidden = !file;
  const left = found.length - visible.length;
  byId("board-more").hidden = left === 0;
  byId("board-more").querySelector("button").textContent = t("board.more", { count: count(Math.min(left, ROWS_SHOWN)) });
  for (const head of byId("board").querySelectorAll("th")) {
    const by = head.querySelector("button").dataset.sort;
    if (by === sort.by) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  summarise();
}

function summarise() {
  if (!rows.length) { say(byId("board-summary"), ""); return; }
  const found = fitting();
  const waiting = found.filter((row) => row.answer);
  // The probabilities are calibrated: their sum is how many of these flights leave late, on the mean.
  const late = halfUp(waiting.reduce((sum, row) => sum + row.answer.delay_probability, 0));
  const values = { shown: count(found.length), waiting: count(waiting.length), late: count(late), name: file?.name };
  say(byId("board-summary"), `${t(file ? "board.summary.file" : "board.summary", values)} ${told}`);
}

function fillAirlines() {
  const select = byId("board-airline");
  const before = select.value;
  const codes = [...new Set(rows.map((row) => row.flight.airline))];
  const options = codes.map((code) => [airlineName(code), code]).sort((a, b) => a[0].localeCompare(b[0]));
  select.replaceChildren(select.options[0], ...options.map(([name, code]) => el("option", { value: code }, name)));
  select.value = codes.includes(before) ? before : "";
}

// A file may tell times by any clock; here they are those of the airport.
function timeOf({ scheduled_departure: text, origin: from }) {
  const airports = facts().airports;
  const airport = airports.find(({ icao, iata }) => from && (from === icao || from === iata)) || airports[0];
  return localTime(text, airport.zone);
}

function tellRejects(rejects) {
  const place = byId("board-rejects");
  place.hidden = rejects.length === 0;
  const key = file && !rows.length ? "board.rejects.all" : "board.rejects";
  say(place.querySelector("summary"), t(key, { count: count(rejects.length) }));
  const inOrder = [...rejects].sort((a, b) => a.row - b.row);
  const items = inOrder.slice(0, MOST_REJECTS).map(({ row, why }) =>
    el("li", {}, t("board.reject", { row, why: fromApi(why) })));
  const left = rejects.length - items.length;
  if (left) items.push(el("li", {}, t("board.rejects.more", { count: count(left) })));
  place.querySelector("ul").replaceChildren(...items);
}

export async function openFile(source) {
  const mine = ++turn;
  stopLooking();
  tellTrouble(byId("board-notice"), null);
  try {
    const [name, megabytes] = [source.name, MOST_MEGABYTES];
    if (source.size > megabytes * 1e6) throw new Error(t("csv.large", { name, megabytes }));
    const { flights, rejects } = flightsOf(name, textOf(name, await source.arrayBuffer()));
    if (mine !== turn) return;
    const asked = flights.map(({ row, flight }) => ({ row, flight, at: timeOf(flight), of: {} }));
    const refused = await score(asked, { current: () => mine === turn });
    if (mine !== turn) return;
    rows = asked.filter((row) => row.answer);
    told = wasStopped() ? t("board.stopped", { done: count(rows.length), all: count(asked.length) }) : "";
    file = { name, rejects: [...rejects, ...refused] };
    show();
  } catch (trouble) {
    if (mine !== turn) return;
    progress(0, 0);
    if (trouble.kind) tellTrouble(byId("board-notice"), trouble, () => openFile(source));
    else {
      const wrong = Object.assign(trouble, { kind: "file" });
      tellTrouble(byId("board-notice"), wrong, () => byId("board-file").click(), { label: t("board.other") });
    }
    if (!file && asOf) look(); // what was there before stays, and goes on
  }
}

function show() {
  shownRows = ROWS_SHOWN;
  manyDays = new Set(rows.map((row) => row.at.slice(0, 10))).size > 1;
  tellRejects(file ? file.rejects : []);
  fillAirlines();
  draw();
}

function rowOfSchedule(of) {
  const flight = {
    airline: of.airline, flight_number: of.flight_number, destination: of.destination,
    scheduled_departure: of.scheduled_departure, ...(origin() ? { origin: origin() } : {}),
  };
  return { row: 0, flight, at: of.scheduled_departure, of };
}

export async function openDay({ quiet = false } = {}) {
  const mine = ++turn;
  const date = byId("board-date").value;
  showError(byId("board-date-error"), byId("board-date"), date ? "" : t("needed.date"));
  if (!date) return;
  if (!quiet) { tellTrouble(byId("board-notice"), null); lost = ""; }
  const query = new URLSearchParams({ date, ...(origin() ? { origin: origin() } : {}) });
  try {
    const known = await ask(`/v1/schedule?${query}`, { quiet });
    if (mine !== turn) return;
    const fresh = known.flights.map((of) => rowOfSchedule(of));
    const waiting = fresh.filter(({ of }) => !of.cancelled && !of.actual_departure);
    const refused = await score(waiting, { quiet, current: () => mine === turn });
    if (mine !== turn) return;
    rows = fresh;
    file = null;
    manyDays = false;
    version = known.version;
    scoredAt = Date.now();
    seen(known.as_of);
    tellRejects(refused);
    fillAirlines();
    if (day !== `${date} ${origin()}`) shownRows = ROWS_SHOWN;
    day = `${date} ${origin()}`;
    draw();
    if (!rows.length) say(byId("board-summary"), t("board.none"));
    look();
  } catch (trouble) {
    if (mine !== turn) return;
    progress(0, 0);
    if (quiet) { tellLost(trouble); look(); return; }
    // A board of this very day stays as it was, with its time.
    if (file || day !== `${date} ${origin()}`) {
      rows = [];
      draw();
    }
    if (trouble.kind === "404") say(byId("board-summary"), t("board.noledger"));
    else if (trouble.kind === "422") showError(byId("board-date-error"), byId("board-date"), trouble.message);
    else tellTrouble(byId("board-notice"), trouble, () => openDay());
  }
}

// A look that failed: the board stays as it was, with its time, and says so once; the next look may find more.
function tellLost(trouble) {
  if (lost === trouble.kind) return;
  lost = trouble.kind;
  tellTrouble(byId("board-notice"), trouble, () => openDay(), { calm: true });
}

function seen(now) {
  if (lost) tellTrouble(byId("board-notice"), null);
  lost = "";
  asOf = now;
  told = t("board.refreshed", { time: clock(now) });
}

// Departures that are reported change the version of the state: then the day is asked for anew; and now and then without,
// because answers are of a lead that passes. Otherwise what is due is told by the time alone.
function look() {
  stopLooking();
  looking = setTimeout(async () => {
    if (byId("view-board").hidden || document.hidden) { look(); return; }
    try {
      const state = await ask("/v1/state", { quiet: true });
      if (state.version > version || Date.now() - scoredAt > SCORE_AGAIN_AFTER_MS) { openDay({ quiet: true }); return; }
      seen(state.as_of);
      tellStatuses(rows, asOf);
      if (rows.length) summarise();
    } catch (trouble) {
      if (!trouble.places) throw trouble;
      tellLost(trouble);
    }
    look();
  }, LOOK_EVERY_MS);
}

function stopLooking() { clearTimeout(looking); }

function save() {
  const columns = ["airline", "flight_number", "origin", "destination", "scheduled_departure", "delay_probability",
    "delayed", "exceeds_0", "exceeds_15", "exceeds_30", "exceeds_60", "p50_minutes", "p80_minutes", "p95_minutes",
    "basis", "lead", "actual_departure", "cancelled"];
  const lines = chosen().map(({ flight, answer, of }) => [
    flight.airline, flight.flight_number, flight.origin || facts().airports[0].icao, flight.destination,
    flight.scheduled_departure,
    ...(answer ? [answer.delay_probability, answer.delayed, ...["0", "15", "30", "60"].map((at) => answer.exceeds[at]),
      answer.minutes.p50, answer.minutes.p80, answer.minutes.p95, answer.basis, answer.lead] : Array(11).fill("")),
    of.actual_departure, of.cancelled,
  ]);
  const address = URL.createObjectURL(new Blob(["\uFEFF", csvOf(columns, lines)], { type: "text/csv" }));
  const name = file ? `atraso-${file.name}` : `atraso-${byId("board-date").value}.csv`;
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function start() {
  const view = byId("view-board");
  const files = byId("board-file");
  byId("board-tools").addEventListener("submit", (event) => event.preventDefault());
  byId("board-date").addEventListener("change", () => openDay());
  byId("board-origin")?.addEventListener("change", () => openDay());
  for (const id of ["board-airline", "board-show", "board-from", "board-to"]) byId(id).addEventListener("change", draw);
  byId("board").tHead.addEventListener("click", (event) => {
    const by = event.target.closest("button")?.dataset.sort;
    if (!by) return;
    sort = { by, down: sort.by === by ? !sort.down : by === "risk" || by === "by" };
    draw();
  });
  byId("board-back").addEventListener("click", () => openDay());
  byId("board-more").addEventListener("click", () => { shownRows += ROWS_SHOWN; draw(); });
  byId("board-export").addEventListener("click", save);
  byId("board-stop").addEventListener("click", stop);
  files.addEventListener("change", () => {
    if (files.files.length) openFile(files.files[0]);
    files.value = "";
  });
  view.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("board-drop").classList.add("over");
  });
  view.addEventListener("dragleave", () => byId("board-drop").classList.remove("over"));
  view.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("board-drop").classList.remove("over");
    if (event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
  });
  for (const row of rows) row.element = null; // the words may be in another language now
}

export function open() {
  if (file) show();
  else openDay();
}

