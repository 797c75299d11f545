// The old form: one airline and one month at a time, answered in place.

import { ask, tellTrouble } from "./api.js";
import { byId, showError } from "./dom.js";
import { t } from "./words.js";

const GROUPS = { airline: [1, 23], month: [25, 36] };

export function start() {
  const form = byId("old-form");
  if (!form) return;
  const boxes = ([first, last]) => [...form.querySelectorAll("input")].filter((box) => {
    const number = Number(box.name.slice(3));
    return number >= first && number <= last;
  });
  form.addEventListener("change", ({ target }) => {
    for (const [name, range] of Object.entries(GROUPS)) {
      const group = boxes(range);
      if (!group.includes(target)) continue;
      for (const box of group) if (box !== target) box.checked = false;
      showError(byId(`old-${name}-error`), null, "");
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let first = null;
    for (const [name, range] of Object.entries(GROUPS)) {
      const group = boxes(range);
      const missing = !group.some((box) => box.checked);
      showError(byId(`old-${name}-error`), null, missing ? t(`form.one.${name}`) : "");
      if (missing) first ||= group[0];
    }
    byId("old-answer").replaceChildren();
    if (first) { first.focus(); return; }
    const again = () => form.requestSubmit();
    tellTrouble(byId("form-notice"), null);
    try {
      const body = new URLSearchParams(new FormData(form)).toString();
      const page = await ask("/predict", { method: "POST", body, type: "application/x-www-form-urlencoded", raw: true });
      const answer = new DOMParser().parseFromString(page, "text/html");
      const title = answer.querySelector("h1").textContent;
      const heading = document.createElement("h2");
      heading.textContent = title;
      byId("old-answer").replaceChildren(heading, answer.querySelector("section"));
      byId("old-answer").scrollIntoView({ block: "nearest" });
    } catch (trouble) {
      if (!trouble.places) throw trouble;
      tellTrouble(byId("form-notice"), trouble, again);
    }
  });
}
