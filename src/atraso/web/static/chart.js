// Charts: SVG drawn to the width there is, so that their letters stay as large as the page's; each with its numbers as a table.

import { el, svg } from "./dom.js";
import { t } from "./words.js";

const drawn = new WeakMap();

// *draw* takes a width in pixels and returns the parts of a picture of *height*; *rows* are its text equivalent.
export function chart(figure, { height, label, draw, head, rows }) {
  const picture = svg("svg", { role: "img", "aria-label": label, height });
  const table = el("table", {},
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows.map(([first, ...rest]) => el("tr", {},
      el("th", { scope: "row" }, first), ...rest.map((text) => el("td", {}, text))))));
  const wasOpen = figure.querySelector("details")?.open;
  const details = el("details", { open: Boolean(wasOpen) }, el("summary", {}, t("chart.table")),
    el("div", { class: "wide" }, table));
  figure.hidden = false;
  figure.replaceChildren(picture, details);
  const fit = () => {
    const width = Math.floor(figure.clientWidth);
    if (width < 50) return;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("width", width);
    picture.replaceChildren(...draw(width).flat());
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
