// The rows of the board: what one shows, and many of them put into the table without holding the page up.

import { byId, el, say } from "./dom.js";
import { airlineCode, airlineName, placeName } from "./names.js";
import { clock, facts, halfUp, minutesInWords, percent, t } from "./words.js";

const ROWS_A_FRAME = 40;
const LATE_MINUTES = 15;
const LEVELS = [[0.1, "low"], [0.25, "raised"], [0.5, "high"], [2, "very-high"]];

let filling = 0;

const level = (probability) => LEVELS.find(([below]) => probability < below)[1];

// What became of a flight, by *asOf*; of those in a file nothing is known.
function statusOf({ of }, asOf) {
  if (!of.scheduled_departure) return "";
  if (of.cancelled) return t("status.cancelled");
  if (of.actual_departure) {
    const time = clock(of.actual_departure);
    return of.delay_minutes > LATE_MINUTES ? t("status.left.late", { time, minutes: of.delay_minutes }) : t("status.left", { time });
  }
  const due = Math.floor((new Date(asOf) - new Date(of.scheduled_departure)) / 60_000);
  if (due > LATE_MINUTES) return t("status.overdue", { minutes: due });
  return due >= 0 ? t("status.due") : t("status.scheduled");
}

function addressOf({ flight, at }, origin) {
  const [date, time] = [at.slice(0, 10), clock(at)];
  const values = { airline: flight.airline, flight_number: flight.flight_number, destination: flight.destination };
  const from = flight.origin || (facts().airports.length > 1 ? origin : "");
  return `/?${new URLSearchParams({ ...values, date, time, ...(from ? { origin: from } : {}) })}`;
}

function elementOf(row, { asOf, manyDays, origin }) {
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
    el("td", { class: "col-flight" }, el("a", { href: addressOf(row, origin), "data-view": "flight" }, ...name),
      el("span", { class: "to" }, placeName(flight.destination))),
    el("td", { class: "col-risk" }, risk),
    el("td", { class: "col-by figure" }, answer ? minutesInWords(halfUp(answer.minutes.p80)) : ""),
    el("td", { class: `col-status${of.delay_minutes > LATE_MINUTES ? " late" : ""}` }, statusOf(row, asOf)));
}

// Tells anew what became of the rows that are drawn.
export function tellStatuses(rows, asOf) {
  for (const row of rows) if (row.element) say(row.element.lastElementChild, statusOf(row, asOf));
}

// Puts the rows *visible* into the table, as *shown* says: of which moment, of several days, from where. A screenful at once and the
// others in the frames after it, so that no frame waits for a thousand rows. Each takes the place of the one before it: the
// page keeps its height, so nobody is scrolled away, and a link keeps the focus.
export function fill(visible, shown) {
  const mine = ++filling;
  const body = byId("board").tBodies[0];
  const held = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const part = (from) => {
    if (mine !== filling) return;
    const to = Math.min(from + ROWS_A_FRAME, visible.length);
    let there = body.children[from];
    for (const row of visible.slice(from, to)) {
      row.element ||= elementOf(row, shown);
      if (!there) body.append(row.element);
      else if (there !== row.element) there.replaceWith(row.element);
      if (held && document.activeElement === document.body) focusLink(row.element, held);
      there = row.element.nextElementSibling;
    }
    if (to < visible.length) requestAnimationFrame(() => part(to));
    else while (body.children.length > to) body.lastElementChild.remove();
  };
  part(0);
}

function focusLink(element, address) {
  const link = element.querySelector("a");
  if (link.getAttribute("href") === address) link.focus({ preventScroll: true });
}

