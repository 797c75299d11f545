// The board: the day's departures of the ledger, or the flights of a file, each with how likely it is to leave late.

import { ask, tellTrouble } from "./api.js";
import { csvOf, flightsOf } from "./csv.js";
import { byId, el, say, showError } from "./dom.js";
import { airlineCode, airlineName, placeName } from "./names.js";
import { clock, count, facts, fromApi, halfUp, minutesInWords, percent, t } from "./words.js";

const AT_A_TIME = 500;
const ROWS_SHOWN = 1000;
const ROWS_A_FRAME = 40;
const LOOK_EVERY_MS = 10_000;
const MOST_MEGABYTES = 50;
const LEVELS = [[0.1, "low"], [0.25, "raised"], [0.5, "high"], [2, "very-high"]];

// One row: the question, its answer (none for what has left), what became of the flight, and its element once drawn.
let rows = [];
let file = null; // the file's name and its rows that could not be read
let sort = { by: "time", down: false };
let version = 0;
let shownRows = ROWS_SHOWN;
let turn = 0;
let looking = 0;
let stopped = false;
let filling = 0;
let day = "";
let manyDays = false;
let told = "";

const level = (probability) => LEVELS.find(([below]) => probability < below)[1];
const origin = () => byId("board-origin")?.value;

function statusOf({ of }) {
  if (of.cancelled) return t("status.cancelled");
  if (!of.actual_departure) return of.due ? t("status.due") : t("status.scheduled");
  const time = clock(of.actual_departure);
  return of.delay_minutes > 15 ? t("status.left.late", { time, minutes: of.delay_minutes }) : t("status.left", { time });
}

function addressOf({ flight }) {
  const [date, time = ""] = flight.scheduled_departure.replace(" ", "T").split("T");
  const values = { airline: flight.airline, flight_number: flight.flight_number, destination: flight.destination };
  const from = flight.origin || (facts().airports.length > 1 ? origin() : "");
  return `/?${new URLSearchParams({ ...values, date, time: time.slice(0, 5), ...(from ? { origin: from } : {}) })}`;
}

function elementOf(row) {
  const { flight, answer, of } = row;
  const risk = answer
    ? el("span", { class: `risk ${level(answer.delay_probability)}` },
      el("span", { class: "sign", role: "img", "aria-label": t(`risk.${level(answer.delay_probability)}`) }),
      el("span", { class: "figure" }, percent(answer.delay_probability)))
    : el("span", { class: "quiet" }, "–");
  const name = [
    el("span", { class: "long" }, `${airlineName(flight.airline)} ${flight.flight_number}`),
    el("span", { class: "short" }, `${airlineCode(flight.airline)} ${flight.flight_number}`),
  ];
  const gone = of.cancelled || of.actual_departure;
  return el("tr", { class: gone ? "gone" : null },
    el("td", { class: "col-time" }, clock(row.at), manyDays ? el("span", { class: "to" }, row.at.slice(5, 10)) : null),
    el("td", { class: "col-flight" }, el("a", { href: addressOf(row), "data-view": "flight" }, ...name),
      el("span", { class: "to" }, placeName(flight.destination))),
    el("td", { class: "col-risk" }, risk),
    el("td", { class: "col-by figure" }, answer ? minutesInWords(halfUp(answer.minutes.p80)) : ""),
    el("td", { class: `col-status${of.delay_minutes > 15 ? " late" : ""}` }, statusOf(row)));
}

const keys = {
  time: (row) => row.at,
  flight: (row) => `${airlineName(row.flight.airline)} ${row.flight.flight_number.padStart(6)}`,
  risk: (row) => row.answer?.delay_probability ?? -1,
  by: (row) => row.answer?.minutes.p80 ?? -1000,
  status: (row) => (row.of.cancelled ? 2 : row.of.actual_departure ? 1 : 0),
};

function chosen() {
  const airline = byId("board-airline").value;
  const [from, to] = [Number(byId("board-from").value), Number(byId("board-to").value)];
  const fits = (row) => {
    const hour = Number(clock(row.at).slice(0, 2));
    return (all || row.answer) && (!airline || row.flight.airline === airline) && hour >= from && hour < to;
  };
  const all = byId("board-show").value === "all" || !rows.some((row) => row.answer);
  const key = keys[sort.by];
  return rows.filter(fits).map((row) => [key(row), row])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (sort.down ? -1 : 1) || (a[1].at < b[1].at ? -1 : 1))
    .map(([, row]) => row);
}

// A screenful at once and the others in the frames after it, so that no frame waits for a thousand rows.
function fill(visible) {
  const mine = ++filling;
  const body = byId("board").tBodies[0];
  const part = (from) => visible.slice(from, from + ROWS_A_FRAME).map((row) => (row.element ||= elementOf(row)));
  const more = (from) => {
    if (mine !== filling || from >= visible.length) return;
    body.append(...part(from));
    requestAnimationFrame(() => more(from + ROWS_A_FRAME));
  };
  body.replaceChildren(...part(0));
  requestAnimationFrame(() => more(ROWS_A_FRAME));
}

function draw() {
  const found = chosen();
  const visible = found.slice(0, shownRows);
  fill(visible);
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
  summarise(found);
}

function summarise(found) {
  if (!rows.length) { say(byId("board-summary"), ""); return; }
  const waiting = found.filter((row) => row.answer);
  // The probabilities are calibrated: their sum is how many of these flights leave late, on the mean.
  const late = halfUp(waiting.reduce((sum, row) => sum + row.answer.delay_probability, 0));
  const values = { shown: count(rows.length), waiting: count(waiting.length), late: count(late) };
  const prefix = file ? t("board.file", { name: file.name }) : "";
  say(byId("board-summary"), `${prefix}${t("board.summary", values)} ${told}`);
}

function fillAirlines() {
  const select = byId("board-airline");
  const before = select.value;
  const codes = [...new Set(rows.map((row) => row.flight.airline))];
  const options = codes.map((code) => [airlineName(code), code]).sort((a, b) => a[0].localeCompare(b[0]));
  select.replaceChildren(select.options[0], ...options.map(([name, code]) => el("option", { value: code }, name)));
  select.value = codes.includes(before) ? before : "";
}

const breath = () => new Promise((resolve) => { setTimeout(resolve); });

// Asks about *asked* in parts, keeps each answer, and returns the rows that are refused with what is wrong with them.
async function score(asked, { quiet = false, mine }) {
  const rejects = [];
  stopped = false;
  for (let start = 0; start < asked.length && !stopped; start += AT_A_TIME) {
    let part = asked.slice(start, start + AT_A_TIME);
    while (part.length && mine === turn) {
      try {
        const body = JSON.stringify({ flights: part.map((row) => row.flight) });
        const { predictions } = await ask("/v1/predictions", { method: "POST", body, quiet });
        part.forEach((row, i) => { row.answer = predictions[i]; row.element = null; });
        break;
      } catch (trouble) {
        const wrong = wrongRows(trouble, part.length);
        if (!wrong.size) throw trouble;
        wrong.forEach((why, i) => rejects.push({ row: part[i].row, why, of: part[i] }));
        part = part.filter((_, i) => !wrong.has(i));
      }
    }
    if (mine !== turn) return rejects;
    progress(Math.min(start + AT_A_TIME, asked.length), asked.length);
    await breath();
  }
  return rejects;
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

function progress(done, all) {
  const place = byId("board-progress");
  place.hidden = all <= AT_A_TIME || done >= all;
  byId("board-bar").value = all ? done / all : 0;
  say(byId("board-bar-words"), t("board.progress", { done: count(done), all: count(all) }));
}

function tellRejects(rejects) {
  const place = byId("board-rejects");
  place.hidden = rejects.length === 0;
  say(place.querySelector("summary"), t("board.rejects", { count: count(rejects.length) }));
  const inOrder = [...rejects].sort((a, b) => a.row - b.row);
  place.querySelector("ul").replaceChildren(...inOrder.map(({ row, why }) =>
    el("li", {}, t("board.reject", { row, why: fromApi(why) }))));
}

export async function openFile(source) {
  const mine = ++turn;
  stopLooking();
  tellTrouble(byId("board-notice"), null);
  try {
    const [name, megabytes] = [source.name, MOST_MEGABYTES];
    if (source.size > megabytes * 1e6) throw new Error(t("csv.large", { name, megabytes }));
    const { flights, rejects } = flightsOf(name, await source.text());
    if (mine !== turn) return;
    file = { name, rejects };
    told = "";
    rows = [];
    const asked = flights.map(({ row, flight }) => ({ row, flight, at: flight.scheduled_departure, of: {} }));
    progress(0, asked.length);
    const refused = await score(asked, { mine });
    if (mine !== turn) return;
    progress(0, 0);
    rows = asked.filter((row) => row.answer);
    if (stopped) told = t("board.stopped", { done: count(rows.length), all: count(asked.length) });
    file.rejects = [...rejects, ...refused];
    show();
  } catch (trouble) {
    if (mine !== turn) return;
    progress(0, 0);
    rows = rows.filter((row) => row.answer);
    draw();
    if (trouble.kind) tellTrouble(byId("board-notice"), trouble, () => openFile(source));
    else tellTrouble(byId("board-notice"), Object.assign(trouble, { kind: "file" }), () => byId("board-file").click());
  }
}

function show() {
  shownRows = ROWS_SHOWN;
  manyDays = new Set(rows.map((row) => row.at.slice(0, 10))).size > 1;
  tellRejects(file ? file.rejects : []);
  fillAirlines();
  draw();
}

function rowOfSchedule(of, asOf) {
  const flight = {
    airline: of.airline, flight_number: of.flight_number, destination: of.destination,
    scheduled_departure: of.scheduled_departure, ...(origin() ? { origin: origin() } : {}),
  };
  const due = new Date(of.scheduled_departure) <= new Date(asOf);
  return { row: 0, flight, at: of.scheduled_departure, of: { ...of, due } };
}

export async function openDay({ quiet = false } = {}) {
  const mine = ++turn;
  const date = byId("board-date").value;
  showError(byId("board-date-error"), byId("board-date"), date ? "" : t("needed.date"));
  if (!date) return;
  if (!quiet) tellTrouble(byId("board-notice"), null);
  const query = new URLSearchParams({ date, ...(origin() ? { origin: origin() } : {}) });
  try {
    const found = await ask(`/v1/schedule?${query}`, { quiet });
    if (mine !== turn) return;
    const fresh = found.flights.map((of) => rowOfSchedule(of, found.as_of));
    const refused = await score(fresh.filter(({ of }) => !of.cancelled && !of.actual_departure), { quiet, mine });
    if (mine !== turn) return;
    rows = fresh;
    file = null;
    manyDays = false;
    version = found.version;
    told = t("board.refreshed", { time: clock(found.as_of) });
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
    if (quiet) { look(); return; } // the board stays as it was, with its time; the next look may find more
    rows = [];
    draw();
    if (trouble.kind === "404") say(byId("board-summary"), t("board.noledger"));
    else if (trouble.kind === "422") showError(byId("board-date-error"), byId("board-date"), trouble.message);
    else tellTrouble(byId("board-notice"), trouble, () => openDay());
  }
}

// Departures that are reported change the version of the state: then the day is asked for anew.
function look() {
  stopLooking();
  looking = setTimeout(async () => {
    if (byId("view-board").hidden || document.hidden) { look(); return; }
    try {
      const state = await ask("/v1/state", { quiet: true });
      if (state.version > version) { openDay({ quiet: true }); return; }
    } catch { /* it is looked again */ }
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
  byId("board-stop").addEventListener("click", () => {
    stopped = true; // what is scored stays
  });
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

