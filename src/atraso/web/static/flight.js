// One flight: asked of the API, shown as the numbers that it answered. serving/telling.py says the same without script.

import { ask, tellTrouble } from "./api.js";
import { chart, line, path, scale, text } from "./chart.js";
import { combobox } from "./combobox.js";
import { byId, el, say, showError, svg } from "./dom.js";
import { airlineName, meant, placeName, shownCode } from "./names.js";
import { dateInWords, decimal, fromApi, halfUp, minutesInWords, percent, t } from "./words.js";

const FIELDS = ["airline", "destination", "flight_number", "date", "time"];
const BANDS = ["punctual", "late", "later", "latest"];
const MARKS = [15, 30, 60];
const FIRST_MINUTE = -10;
const LAST_MINUTE = 90;
const WIDTH = 1000;
const PLACE = /^[A-Z0-9]{3,4}$/i;

let form;
let latest = 0;

const slot = (name) => byId("answer").querySelector(`[data-slot="${name}"]`);
const tell = (name, words) => say(slot(name), words);

function valuesNow() {
  const values = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));
  values.airline = meant("airlines", values.airline);
  values.destination = meant("destinations", values.destination);
  return values;
}

const questionOf = (values, time = values.time) => ({
  airline: values.airline,
  flight_number: values.flight_number,
  destination: values.destination,
  scheduled_departure: `${values.date}T${time}`,
  ...(values.origin ? { origin: values.origin } : {}),
});

function problemAt(name, sentence) {
  const known = name === "form" || FIELDS.includes(name) || name === "origin";
  showError(byId(`${known ? name : "form"}-error`), form.elements[name], sentence);
}

function clearProblems() {
  for (const name of [...FIELDS, "origin", "form"]) {
    const place = byId(`${name}-error`);
    if (place) showError(place, form.elements[name], "");
  }
}

function focusFirstProblem() {
  form.querySelector("[aria-invalid]")?.focus();
}

// What the form itself can tell is told before anybody is asked.
function checked(values) {
  clearProblems();
  for (const name of FIELDS) if (!values[name]) problemAt(name, t(`needed.${name}`));
  if (values.destination && !PLACE.test(values.destination)) problemAt("destination", t("unknown.destination"));
  focusFirstProblem();
  return !form.querySelector("[aria-invalid]");
}

async function submit({ remember = true } = {}) {
  const values = valuesNow();
  if (!checked(values)) return;
  const mine = ++latest;
  const button = form.querySelector("button[type=submit]");
  const words = button.dataset.words || (button.dataset.words = button.textContent);
  button.disabled = true;
  button.textContent = t("asking");
  tellTrouble(byId("flight-notice"), null);
  try {
    const body = JSON.stringify({ flights: [questionOf(values)], explain: true });
    const answer = await ask("/v1/predictions", { method: "POST", body });
    if (mine !== latest) return;
    show(values, answer.predictions[0]);
    if (remember) history.replaceState(null, "", addressOf(values));
    otherHours(values, answer.predictions[0], mine);
  } catch (trouble) {
    if (mine !== latest) return;
    if (!trouble.places) throw trouble;
    for (const place of trouble.places) {
      const name = place.pointer.split("/").pop();
      problemAt(name === "scheduled_departure" ? "date" : name || "form", place.detail);
    }
    if (trouble.kind === "422") focusFirstProblem();
    else tellTrouble(byId("flight-notice"), trouble, () => submit({ remember }));
  } finally {
    if (mine === latest) {
      button.disabled = false;
      button.textContent = words;
    }
  }
}

const addressOf = (values) => `/?${new URLSearchParams(values)}`;

function show(values, prediction) {
  const words = {
    airline: airlineName(values.airline),
    number: values.flight_number,
    destination: placeName(values.destination),
    date: dateInWords(values.date),
    time: values.time,
  };
  tell("flight", t("flight.line", words));
  tell("percent", percent(prediction.delay_probability));
  tell("usual", percent(prediction.base_rate));
  tell("compared", compared(prediction));
  tell("basis", t(`basis.${prediction.basis}`, { lead: t(`lead.${prediction.lead}`) }));
  tell("verdict", t(prediction.delayed ? "verdict.delayed" : "verdict.punctual"));
  slot("warnings").replaceChildren(...prediction.warnings.map((warning) => el("li", {}, fromApi(warning))));
  const { exceeds, minutes } = prediction;
  const shares = [1 - exceeds["15"], exceeds["15"] - exceeds["30"], exceeds["30"] - exceeds["60"], exceeds["60"]];
  BANDS.forEach((kind, i) => tell(kind, percent(shares[i])));
  for (const name of ["p50", "p80", "p95"]) {
    const late = halfUp(minutes[name]);
    tell(`${name}-clock`, clockAfter(values.time, late));
    tell(`${name}-words`, minutesInWords(late));
  }
  slot("reasons").replaceChildren(...reasonRows(prediction.reasons));
  byId("permalink").href = addressOf(values);
  byId("copy").hidden = !navigator.clipboard;
  byId("copied").textContent = "";
  byId("usual").hidden = true;
  byId("hours").hidden = true;
  byId("answer").hidden = false;
  byId("answer").dataset.id = prediction.id;
  drawCurve(prediction);
  document.title = `${percent(prediction.delay_probability)} · ${t("flight.line", words)} · Atraso`;
  // On a narrow screen the answer stands below the form: out of sight it would seem that nothing happened.
  if (byId("result").getBoundingClientRect().top > window.innerHeight / 2) byId("answer").scrollIntoView();
}

function compared(prediction) {
  const points = halfUp(100 * prediction.delay_probability) - halfUp(100 * prediction.base_rate);
  if (points === 0) return t("compared.same");
  const key = `compared.${points > 0 ? "more" : "less"}${Math.abs(points) === 1 ? ".one" : ""}`;
  return t(key, { points: Math.abs(points) });
}

function clockAfter(time, late) {
  const [hours, minutes] = time.split(":").map(Number);
  const day = 24 * 60;
  const minute = (((hours * 60 + minutes + late) % day) + day) % day;
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

function reasonInWords({ group, value }) {
  if (group === "airline") return t("reason.airline", { value: airlineName(value) });
  if (group === "route") return t("reason.route", { value: placeName(value.split("-")[1]) });
  return t(`reason.${group}`, { value: fromApi(value) });
}

function reasonRows(reasons) {
  const template = byId("reason");
  const largest = Math.max(...reasons.map((reason) => Math.abs(reason.effect)), 0) || 1;
  return reasons.map((reason) => {
    const row = template.content.cloneNode(true);
    const width = (Math.abs(reason.effect) / largest) * (WIDTH / 2);
    const tenths = halfUp(Math.abs(reason.effect) * 1000);
    const sign = tenths === 0 ? "±" : reason.effect > 0 ? "+" : "\u2212";
    row.querySelector(".reason").classList.add(reason.effect >= 0 ? "more" : "less");
    row.querySelector(".group").textContent = reasonInWords(reason);
    row.querySelector(".figure").textContent = sign + decimal(`${Math.floor(tenths / 10)}.${tenths % 10}`);
    row.querySelector(".effect").setAttribute("x", reason.effect >= 0 ? WIDTH / 2 : WIDTH / 2 - width);
    row.querySelector(".effect").setAttribute("width", width);
    return row;
  });
}

// Known points of P(later than m); between them the model's log-odds run straight, and so do they here.
function curvePoints({ exceeds, minutes }) {
  const logit = (p) => Math.log(p / (1 - p));
  const known = [
    ...Object.entries(exceeds).map(([at, p]) => [Number(at), p]),
    [minutes.p50, 0.5], [minutes.p80, 0.2], [minutes.p95, 0.05],
  ].filter(([, p]) => p > 0 && p < 1).sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  return (minute) => {
    const after = known.findIndex(([at]) => at >= minute);
    const right = after === -1 ? known.length - 1 : Math.max(after, 1);
    const [[x0, p0], [x1, p1]] = [known[right - 1], known[right]];
    const share = x1 === x0 ? 1 : (minute - x0) / (x1 - x0);
    const odds = logit(p0) + share * (logit(p1) - logit(p0));
    return 1 / (1 + Math.exp(-odds));
  };
}

function drawCurve(prediction) {
  const later = curvePoints(prediction);
  const height = 230;
  const draw = (width) => {
    const x = scale(FIRST_MINUTE, LAST_MINUTE, 46, width - 8);
    const y = scale(0, 1, height - 34, 18);
    const shares = [0, 0.5, 1].flatMap((share) => [line(46, y(share), width - 8, y(share), "ground"),
      text(40, y(share) + 4, percent(share), "axis end")]);
    const points = [];
    for (let minute = FIRST_MINUTE; minute <= LAST_MINUTE; minute += 1) points.push([x(minute), y(later(minute))]);
    const ground = [[x(LAST_MINUTE), y(0)], [x(FIRST_MINUTE), y(0)]];
    const marks = MARKS.map((at) => {
      const share = prediction.exceeds[String(at)];
      const up = Math.max(y(share) - 10, 14);
      return [
        line(x(at), y(0), x(at), y(share), "mark"),
        svg("circle", { cx: x(at), cy: y(share), r: 4.5, class: "dot" }),
        text(x(at) + (at === 60 && width < 420 ? -6 : 8), up, percent(share), `value${at === 60 && width < 420 ? " end" : ""}`),
        text(x(at), height - 16, String(at), "axis middle"),
      ];
    });
    return [
      ...shares, path([...points, ...ground], "area", true), path(points, "curve-line"), line(x(0), y(0), x(0), y(1), "zero"),
      text(x(0), height - 16, "0", "axis middle"), ...marks.flat(),
      text(x(LAST_MINUTE), height - 2, t("curve.axis"), "axis end"),
    ];
  };
  chart(byId("curve"), {
    height, draw, label: t("curve.text"),
    head: [t("curve.column.minutes"), t("curve.column.share")],
    rows: Object.entries(prediction.exceeds).sort((a, b) => a[0] - b[0]).map(([at, p]) => [`${at} min`, percent(p)]),
  });
}

// The same flight at every full hour of its day, in one question.
async function otherHours(values, prediction, mine) {
  const times = Array.from({ length: 24 }, (_, hour) => `${String(hour).padStart(2, "0")}:00`);
  const body = JSON.stringify({ flights: times.map((time) => questionOf(values, time)) });
  let answer;
  try {
    answer = await ask("/v1/predictions", { method: "POST", body, quiet: true });
  } catch {
    return; // the answer itself stands; this is an addition
  }
  if (mine !== latest) return;
  const shares = answer.predictions.map((one) => one.delay_probability);
  const own = Number(values.time.slice(0, 2));
  // Few would leave at night, and nobody can leave at an hour that is over.
  const now = answer.as_of.slice(0, 16);
  const open = times.map((_, hour) => hour)
    .filter((hour) => hour >= 6 && hour <= 22 && (values.date < now.slice(0, 10) || `${values.date}T${times[hour]}` > now));
  const best = open.reduce((a, b) => (shares[b] < shares[a] ? b : a), open[0] ?? own);
  const gain = halfUp(100 * prediction.delay_probability) - halfUp(100 * shares[best]);
  byId("hours").hidden = false;
  const instead = slot("instead");
  if (gain > 0 && best !== own) {
    const link = el("a", { href: addressOf({ ...values, time: times[best] }), "data-view": "flight" },
      t("hours.better", { time: times[best], percent: percent(shares[best]) }));
    instead.replaceChildren(link);
  } else instead.replaceChildren(t("hours.best"));
  drawHours(prediction, times, shares, own, best);
}

function drawHours(prediction, times, shares, own, best) {
  const height = 174;
  const most = Math.max(...shares, prediction.base_rate, 0.1);
  const draw = (width) => {
    const x = scale(0, 24, 0, width);
    const y = scale(0, most, height - 22, 48);
    const bar = Math.max(width / 24 - Math.min(6, width / 90), 4);
    const parts = shares.map((share, hour) => svg("rect", {
      x: x(hour).toFixed(1), y: y(share).toFixed(1), width: bar.toFixed(1), height: (y(0) - y(share)).toFixed(1),
      rx: 2, class: `hour${hour === own ? " own" : ""}${hour === best ? " best" : ""}`,
    }, svg("title", {}, `${times[hour]} ${percent(share)}`)));
    const base = y(prediction.base_rate);
    const usual = [line(0, base, width, base, "usual-line"), line(0, 8, 24, 8, "usual-line"),
      text(32, 12, `${t("hours.usual")} ${percent(prediction.base_rate)}`, "axis")];
    // Above the bars beside it too, which a number is wider than; and above the other number, where that is near.
    const top = (hour) => Math.min(...[hour - 1, hour, hour + 1].map((at) => y(shares[at] ?? 0))) - 6;
    const near = own !== best && Math.abs(x(own) - x(best)) < 40;
    const heights = { [best]: top(best), [own]: near ? Math.min(top(own), top(best) - 16) : top(own) };
    const told = Object.entries(heights).map(([hour, up]) =>
      text(Math.min(Math.max(x(hour) + bar / 2, 16), width - 16), up, percent(shares[hour]), "value middle"));
    const ticks = [0, 6, 12, 18].map((hour) => text(x(hour), height - 4, times[hour], "axis"));
    return [...parts, ...usual, ...told, ...ticks];
  };
  chart(byId("hours-chart"), {
    height, draw, label: t("hours.text"), head: [t("hours.column.time"), t("hours.column.share")],
    rows: times.map((time, hour) => [time, percent(shares[hour])]),
  });
}

// What the address holds; nothing where it holds no flight.
export function open(query) {
  const given = [...FIELDS, "origin"].filter((name) => query.has(name));
  if (!given.length) return;
  for (const name of given) if (form.elements[name]) form.elements[name].value = query.get(name);
  for (const [name, kind] of [["airline", "airlines"], ["destination", "destinations"]]) {
    form.elements[name].value = shownCode(kind, query.get(name) || "");
  }
  submit({ remember: false });
}

export function start() {
  form = byId("question");
  combobox(byId("airline"), "airlines");
  combobox(byId("destination"), "destinations");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("permalink").href);
    say(byId("copied"), t("copied"));
  });
}

