// Charts: SVG drawn to the width there is, so that their letters stay as large as the page's; each with its numbers as a table.

import { el, svg } from "./dom.js";
import { t } from "./words.js";

const drawn = new WeakMap();

// *draw* takes width and height in pixels and returns the parts of a picture; *rows* are its text equivalent. *height* is a
// number, or follows from the width.
export function chart(figure, { height, label, draw, head, rows }) {
  const heightAt = typeof height === "function" ? height : () => height;
  const picture = svg("svg", { role: "img", "aria-label": label });
  const table = el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows.map(([first, ...rest]) => el("tr", {},
      el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text))))));
  const wasOpen = figure.querySelector("details")?.open;
  const details = el("details", { open: Boolean(wasOpen) }, el("summary", {}, t("chart.table")),
    el("div", { class: "wide", role: "region", tabindex: 0, "aria-label": label }, table));
  figure.hidden = false;
  figure.replaceChildren(picture, details);
  const fit = () => {
    const width = Math.floor(figure.clientWidth);
    if (width < 50) return;
    const high = Math.round(heightAt(width));
    picture.setAttribute("viewBox", `0 0 ${width} ${high}`);
    picture.setAttribute("width", width);
    picture.setAttribute("height", high);
    picture.replaceChildren(...draw(width, high).flat());
  };
  drawn.get(figure)?.disconnect();
  const observer = new ResizeObserver(fit);
  drawn.set(figure, observer);
  observer.observe(figure);
  fit();
}

export const line = (x1, y1, x2, y2, name) => svg("line", { x1, y1, x2, y2, class: name });
export const text = (x, y, content, name = "axis") => svg("text", { x, y, class: name }, content);
export const path = (points, name, closed = false) =>
  svg("path", { d: `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}${closed ? "Z" : ""}`, class: name });
export const scale = (from, to, start, end) => (value) => start + ((value - from) / (to - from)) * (end - start);

// Round numbers from 0 to the first that is not below *most*, some four of them.
export function steps(most) {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].find((one) => one * power >= rough) * power);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => i * step);
}
