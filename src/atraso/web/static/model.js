// The model and its promise: scores by lead, said beside came, objectives with what is left of their budget.

import { ask, tellTrouble } from "./api.js";
import { chart, line, path, scale, text } from "./chart.js";
import { byId, el, say, svg } from "./dom.js";
import { count, decimal, facts, finePercent, percent, t } from "./words.js";

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
  const height = 390;
  const draw = (width) => {
    const side = Math.min(width - 50, height - 62);
    const x = scale(0, most, 40, 40 + side);
    const y = scale(0, most, 26 + side, 26);
    const ticks = [0, 0.2, 0.4, 0.6].map((at) => [
      line(x(0), y(at), x(most), y(at), "ground"), text(34, y(at) + 4, percent(at), "axis end"),
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

function showObjectives({ objectives }) {
  byId("promise").hidden = objectives.length === 0;
  byId("objectives").tBodies[0].replaceChildren(...objectives.map((one) => {
    const known = one.measured !== null;
    const left = known ? Math.max(0, Math.min(1, one.budget_left)) : 1;
    const words = !known ? "–" : one.budget_left < 0 ? t("objective.broken", { percent: percent(0) }) : percent(left);
    const bar = svg("svg", { class: "budget", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { width: 100, height: 8, class: "all" }), svg("rect", { width: 100 * left, height: 8, class: "left" }));
    return el("tr", { class: known && one.budget_left < 0 ? "broken" : null },
      el("th", { scope: "row" }, t(`objective.${one.name}`)),
      el("td", {}, finePercent(one.target)),
      el("td", {}, known ? finePercent(one.measured) : t("objective.none"),
        el("small", {}, known ? `${count(one.good)} / ${count(one.total)}` : "")),
      el("td", {}, el("span", { class: "figure" }, words), known ? bar : ""));
  }));
}

function showJudged(quality) {
  const leads = Object.entries(quality?.leads || {});
  byId("judged").hidden = leads.length === 0;
  if (!leads.length) return;
  say(byId("judged-note"), t("judged.note", { days: quality.days, time: quality.made_at.slice(0, 16).replace("T", " ") }));
  byId("judged-table").tBodies[0].replaceChildren(...leads.map(([lead, one]) => el("tr", {},
    el("th", { scope: "row" }, leadWords(lead)), el("td", {}, count(one.n)),
    el("td", {}, share(one.brier_skill)), el("td", {}, digits(one.auc)), el("td", {}, digits(one.ece)))));
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
