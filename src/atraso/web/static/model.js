// The model and its promise: scores by lead, said beside came, objectives with what is left of their budget.

import { ask, tellTrouble } from "./api.js";
import { chart, line, path, scale, text } from "./chart.js";
import { byId, el, say, svg } from "./dom.js";
import { count, decimal, facts, finePercent, fromApi, momentInWords, percent, t } from "./words.js";

const SHOWN = ["schedule", "12h", "1h"]; // the diagram has room for three leads
// A model of somebody else may not have been given every score.
const has = (number) => typeof number === "number";
const digits = (number, places = 3) => (has(number) ? decimal(number.toFixed(places)) : "–");
const share = (number) => (has(number) ? percent(number) : "–");
const leadWords = (lead) => t(`lead.${lead}`);

function showScores(leads, note) {
  const names = Object.keys(leads).filter((lead) => has(leads[lead].auc));
  byId("scores").hidden = names.length === 0;
  if (!names.length) return;
  say(byId("scores-note"), note);
  const row = 34;
  const height = names.length * row + 30;
  const draw = (width) => {
    const x = scale(0.5, 0.8, 78, width - 46);
    const ticks = [0.5, 0.6, 0.7, 0.8].map((at) => [
      line(x(at), 6, x(at), height - 26, "ground"), text(x(at), height - 8, digits(at, 1), "axis middle")]);
    const rows = names.map((lead, i) => {
      const { auc, auc_low: low, auc_high: high } = leads[lead];
      const y = 18 + i * row;
      return [text(0, y + 4, leadWords(lead), "label"),
        ...(low ? [line(x(low), y, x(high), y, "range")] : []),
        svg("circle", { cx: x(auc), cy: y, r: 5, class: "dot" }), text(width, y + 4, digits(auc), "value end")];
    });
    return [...ticks.flat(), ...rows.flat()];
  };
  chart(byId("scores-chart"), {
    height, draw, label: t("scores.text"),
    head: [t("score.lead"), t("score.auc"), t("score.brier_skill"), t("score.ece")],
    rows: names.map((lead) => [leadWords(lead), digits(leads[lead].auc), share(leads[lead].brier_skill), digits(leads[lead].ece)]),
  });
}

function showReliability(leads) {
  const names = SHOWN.filter((lead) => leads[lead]);
  byId("reliability").hidden = names.length === 0;
  if (!names.length) return;
  say(byId("reliability-note"), t("reliability.note", { n: count(leads[names[0]].n) }));
  const most = 0.6;
  const sideAt = (width) => Math.min(width - 60, 330);
  const height = (width) => sideAt(width) + 66;
  const draw = (width) => {
    const side = sideAt(width);
    const x = scale(0, most, 44, 44 + side);
    const y = scale(0, most, 26 + side, 26);
    const ticks = [0, 0.2, 0.4, 0.6].map((at) => [
      line(x(0), y(at), x(most), y(at), "ground"), text(38, y(at) + 4, percent(at), "axis end"),
      text(x(at), 26 + side + 18, percent(at), "axis middle")]);
    const lines = names.map((lead, i) => [
      path(leads[lead].reliability.map((bin) => [x(Math.min(bin.said, most)), y(Math.min(bin.late, most))]), `curve-line lead-${i}`),
      ...leads[lead].reliability.map((bin) => mark(i, x(Math.min(bin.said, most)), y(Math.min(bin.late, most)))),
      mark(i, x(0) + 16, 44 + i * 20), text(x(0) + 28, 48 + i * 20, leadWords(lead), "label")]);
    return [...ticks.flat(), line(x(0), y(0), x(most), y(most), "perfect"), ...lines.flat(),
      text(x(most / 2), 26 + side + 34, t("reliability.said"), "axis middle"), text(x(0), 12, t("reliability.came"), "axis")];
  };
  chart(byId("reliability-chart"), {
    height, draw, label: t("reliability.text"),
    head: [t("score.lead"), ...Array.from({ length: 10 }, (_, i) => String(i + 1))],
    rows: names.map((lead) => [leadWords(lead),
      ...leads[lead].reliability.map((bin) => `${percent(bin.said)} → ${percent(bin.late)}`)]),
  });
}

// Leads differ in the shape of their marks too, not in colour alone.
function mark(kind, x, y) {
  if (kind === 0) return svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, class: "dot lead-0" });
  if (kind === 1) return svg("path", { d: `M${x} ${y - 5}L${x + 5} ${y + 4}L${x - 5} ${y + 4}Z`, class: "dot lead-1" });
  return svg("circle", { cx: x, cy: y, r: 4.5, class: "dot lead-2" });
}

// Who tells how an objective stands, and of how long.
function sourceWords({ source, window: period, good, total }) {
  if (source === "prometheus") return t("objective.prometheus", { days: Number.parseInt(period, 10) });
  if (source === "service" && total) return t("objective.counted", { good: count(good), total: count(total) });
  return source === "service" ? t("objective.none") : t("objective.unknown");
}

// A budget in which not one bad event has room says nothing yet.
const tooFew = ({ source, total, target }) => source === "service" && total * (1 - target) < 1;

function budgetWords(one) {
  if (one.budget_left === null) return "–";
  if (tooFew(one)) return t("objective.few");
  return one.budget_left < 0 ? t("objective.broken") : percent(Math.min(1, one.budget_left));
}

function budgetBar({ budget_left: left }) {
  const width = 100 * Math.max(0, Math.min(1, left));
  return svg("svg", { class: "budget", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100, height: 8, class: "all" }), svg("rect", { width, height: 8, class: "left" }));
}

// On a narrow screen each row is a card: roles say that it is a table all the same, and cells carry their heads.
const cell = (key, ...children) => el("td", { role: "cell", "data-head": t(key) }, ...children);

function showObjectives({ objectives, since, prometheus }) {
  byId("promise").hidden = objectives.length === 0;
  if (!objectives.length) return;
  const start = momentInWords(since, facts().airports[0].zone);
  say(byId("promise-note"), t(`promise.${prometheus}`, { time: start }));
  byId("objectives").tBodies[0].replaceChildren(...objectives.map((one) => {
    const known = one.measured !== null;
    const judged = known && !tooFew(one);
    return el("tr", { role: "row", class: judged && one.budget_left < 0 ? "broken" : known ? null : "unknown" },
      el("th", { scope: "row", role: "rowheader" }, el("span", { class: "name" }, fromApi(one.title)),
        el("span", { class: "what" }, fromApi(one.promise)), el("span", { class: "why" }, fromApi(one.reason))),
      cell("promise.target", finePercent(one.target)),
      cell("promise.measured", known ? finePercent(one.measured) : "–", el("small", {}, sourceWords(one))),
      cell("promise.left", el("span", { class: "figure" }, budgetWords(one)), judged ? budgetBar(one) : null));
  }));
}

function showJudged(quality) {
  const leads = Object.entries(quality?.leads || {});
  byId("judged").hidden = leads.length === 0;
  if (!leads.length) return;
  say(byId("judged-note"), t("judged.note", { days: quality.days, time: quality.made_at.slice(0, 16).replace("T", " ") }));
  byId("judged-table").tBodies[0].replaceChildren(...leads.map(([lead, one]) => el("tr", { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, leadWords(lead)), cell("score.n", count(one.n)),
    cell("score.brier_skill", share(one.brier_skill)), cell("score.auc", digits(one.auc)), cell("score.ece", digits(one.ece)))));
}

// The record of the bundled model; another model's card has the scores of its own time split.
async function recordOf(model) {
  const response = await fetch(`${facts().files}/card.json`);
  const record = response.ok ? await response.json() : null;
  return record && record.checksum === model.checksum ? record : null;
}

export async function open() {
  const notice = byId("model-notice");
  try {
    const model = await ask("/v1/model");
    tellTrouble(notice, null);
    const record = await recordOf(model);
    const own = Object.fromEntries(Object.entries(model.scores).filter(([lead]) => model.leads.includes(lead)));
    if (record) showScores(record.leads, t("scores.note"));
    else showScores(own, t("scores.note.card"));
    showReliability(record ? record.leads : {});
    showObjectives(await ask("/v1/objectives"));
    showJudged(await ask("/v1/quality").catch((trouble) => {
      if (trouble.kind === "404" || trouble.kind === "503") return null; // nothing judged here, or not yet
      throw trouble;
    }));
  } catch (trouble) {
    if (!trouble.places) throw trouble;
    tellTrouble(notice, trouble, () => open());
  }
}
