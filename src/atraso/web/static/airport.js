// The airport now: its state in words, in numbers, and the day so far beside a usual one.

import { ask, tellTrouble } from "./api.js";
import { chart, line, path, scale, steps, text } from "./chart.js";
import { byId, el, say, svg } from "./dom.js";
import { airlineName, placeName } from "./names.js";
import { clock, count, facts, percent, t } from "./words.js";

const SPANS = ["last_hour", "last_six_hours", "today", "last_7_days", "last_28_days"];
const LOOK_EVERY_MS = 30_000;
const FEWEST = 5; // departures in six hours from which their share means something
const SAME = 0.02; // shares so near to each other are alike, however many times one is the other

let looking = 0;
let lost = "";

const origin = () => byId("airport-origin")?.value || facts().airports[0].icao;
const share = ({ delayed, departures }) => (departures ? delayed / departures : null);

// From how far the last six hours are from the last four weeks, in shares of late departures.
function moodOf({ last_six_hours: now, last_28_days: before }) {
  if (!now.departures) return "quiet";
  const usual = share(before) ?? facts().base_rate;
  const ratio = share(now) / Math.max(usual, 0.01);
  const alike = Math.abs(share(now) - usual) < SAME || (ratio > 0.67 && ratio < 1.4);
  if (now.departures < FEWEST || alike) return "usual";
  if (ratio <= 0.67) return "calm";
  return ratio < 2.2 ? "rough" : "very-rough";
}

function showState(state) {
  const found = state.airports.find((one) => one.airport === origin());
  byId("airport-body").hidden = false;
  byId("airport-stats").hidden = byId("airport-words").hidden = !found;
  byId("airport-overdue").hidden = !found?.overdue?.length;
  if (!found) {
    byId("airport-mood").className = "mood";
    say(byId("airport-mood"), t("mood.unknown"));
    say(byId("airport-words"), t("airport.nothing"));
    byId("airport-words").hidden = false;
    say(byId("airport-basis"), t("airport.report"));
    return;
  }
  const mood = moodOf(found);
  byId("airport-mood").className = `mood ${mood}`;
  say(byId("airport-mood"), t(`mood.${mood}`));
  const six = found.last_six_hours;
  const usual = share(found.last_28_days) ?? facts().base_rate;
  const words = t("airport.words", { delayed: six.delayed, departures: six.departures,
    share: percent(share(six) ?? 0), usual: percent(usual) });
  const waiting = found.overdue?.length || 0;
  const overdue = !waiting ? "" : ` ${waiting === 1 ? t("airport.overdue.one") : t("airport.overdue", { count: waiting })}`;
  say(byId("airport-words"), words + overdue);
  say(byId("airport-basis"), t(`airport.${state.basis}`, { time: clock(state.as_of) }));
  byId("airport-stats").replaceChildren(...SPANS.map((span) => {
    const one = found[span];
    return el("div", {}, el("dt", {}, t(`stat.${span}`)),
      el("dd", {}, one.departures ? percent(share(one)) : "–",
        el("small", {}, one.departures ? t("stat.value", { delayed: count(one.delayed), departures: count(one.departures) }) : t("stat.none"))));
  }));
  byId("overdue").tBodies[0].replaceChildren(...(found.overdue || []).map((one) => el("tr", {},
    el("td", { class: "col-time" }, clock(one.scheduled_departure)),
    el("td", {}, `${airlineName(one.airline)} ${one.flight_number}`, el("span", { class: "to" }, placeName(one.destination))),
    el("td", { class: "col-by figure" }, t("due.minutes", { minutes: one.minutes })))));
}

function summed(hours) {
  let sum = 0;
  return hours.map(({ delayed }) => { sum += delayed; return sum; });
}

function showDay(day) {
  const now = Number(clock(day.as_of).slice(0, 2));
  const today = summed(day.left_by_hour).slice(0, now + 1);
  const usual = summed(day.usual_by_hour);
  const place = byId("airport-day");
  place.hidden = !today.some(Boolean) && !usual.length;
  if (place.hidden) return;
  const part = Number(clock(day.as_of).slice(3, 5)) / 60;
  const byNow = usual.length ? (usual[now - 1] ?? 0) * (1 - part) + usual[now] * part : 0;
  const marks = steps(Math.max(...today, ...usual, 4));
  const height = 252;
  const draw = (width) => {
    const x = scale(0, 24, 34, width - 10);
    const y = scale(0, marks.at(-1), height - 26, 34);
    const grid = marks.map((at) => [
      line(34, y(at), width - 10, y(at), "ground"), text(28, y(at) + 4, count(at), "axis end")]);
    const hours = [0, 6, 12, 18, 24].map((at) => text(x(at), height - 6, `${String(at).padStart(2, "0")}:00`,
      `axis ${at === 24 ? "end" : at === 0 ? "" : "middle"}`));
    const points = (sums) => [[x(0), y(0)], ...sums.map((sum, hour) => [x(hour + 1), y(sum)])];
    const minute = Number(clock(day.as_of).slice(3, 5));
    const soFar = points(today);
    soFar[soFar.length - 1][0] = x(now + minute / 60);
    const [endX, endY] = soFar.at(-1);
    const near = endX > width / 2;
    const told = [line(34, 8, 58, 8, "curve-line"), text(64, 12, t("day.today"), "axis"),
      ...(usual.length ? [line(124, 8, 148, 8, "usual-line"), text(154, 12, t("day.usual"), "axis")] : [])];
    return [...grid, ...hours, ...told, ...(usual.length ? [path(points(usual), "usual-line")] : []),
      path(soFar, "curve-line"), svg("circle", { cx: endX, cy: endY, r: 4.5, class: "dot" }),
      text(endX + (near ? -8 : 8), endY - 8, count(today.at(-1)), `value${near ? " end" : ""}`)];
  };
  const values = { today: today.at(-1), usual: Math.round(byNow), all: Math.round(usual.at(-1) ?? 0), days: day.usual_days };
  chart(byId("day-chart"), {
    height, draw, label: t("day.text"),
    head: [t("day.column.hour"), t("day.today"), t("day.usual")],
    rows: Array.from({ length: 24 }, (_, hour) => [`${String(hour + 1).padStart(2, "0")}:00`,
      hour <= now ? String(today[hour]) : "–", usual.length ? String(Math.round(usual[hour])) : "–"]),
  });
  const words = t(usual.length ? "day.words" : "day.words.alone", values);
  byId("day-chart").prepend(el("figcaption", {}, words));
}

// A look of the page's own that failed says so once; what was known stays, with its time.
function tellLost(trouble, calm) {
  if (trouble.kind === "404" || (calm && lost === trouble.kind)) return;
  lost = trouble.kind;
  tellTrouble(byId("airport-notice"), trouble, () => open(), { calm });
}

export async function open({ quiet = false } = {}) {
  clearTimeout(looking);
  try {
    const state = await ask("/v1/state", { quiet });
    tellTrouble(byId("airport-notice"), null);
    lost = "";
    showState(state);
    const query = facts().airports.length > 1 ? `?${new URLSearchParams({ origin: origin() })}` : "";
    if (state.airports.length) showDay(await ask(`/v1/schedule${query}`, { quiet }));
    else byId("airport-day").hidden = true;
  } catch (trouble) {
    if (!trouble.places) throw trouble;
    tellLost(trouble, quiet);
  }
  clearTimeout(looking);
  looking = setTimeout(() => {
    if (!byId("view-airport").hidden && !document.hidden) open({ quiet: true });
  }, LOOK_EVERY_MS);
}

export function start() {
  byId("airport-origin")?.addEventListener("change", () => open());
}

// A page that was out of sight has not looked meanwhile.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !byId("view-airport").hidden) open({ quiet: true });
});
