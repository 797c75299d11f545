// Choosing by typing, as the ARIA pattern "combobox with a list box": arrows, Enter, Escape; any text may stay as typed.

import { el } from "./dom.js";
import { fitting, shown } from "./names.js";
import { t } from "./words.js";

const MOST_SHOWN = 8;

export function combobox(input, kind) {
  const listId = `${input.id}-list`;
  input.removeAttribute("list");
  const list = el("ul", { id: listId, class: "options", role: "listbox", hidden: true,
    "aria-label": input.labels[0].textContent });
  const hint = el("p", { class: "visually-hidden", role: "status" });
  input.after(list, hint);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId,
  })) input.setAttribute(name, value);
  let found = [];
  let at = -1;

  function close() {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(place) {
    at = place;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === at)));
    const chosen = list.children[at];
    if (!chosen) return;
    input.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }

  function open() {
    found = fitting(kind, input.value).slice(0, MOST_SHOWN);
    list.replaceChildren(...found.map((entry, i) => el("li",
      { id: `${listId}-${i}`, role: "option", "aria-selected": "false" },
      el("span", {}, entry.name), el("span", { class: "codes" }, [entry.iata, entry.icao].filter(Boolean).join(" · ")))));
    hint.textContent = found.length ? t("combo.count", { count: found.length }) : t("combo.none");
    list.hidden = found.length === 0;
    at = -1;
    input.setAttribute("aria-expanded", String(found.length > 0));
  }

  function choose(entry) {
    input.value = shown(entry);
    close();
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const last = found.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) open();
      else if (event.key === "ArrowDown") mark(at >= last ? 0 : at + 1);
      else mark(at <= 0 ? last : at - 1);
    } else if (event.key === "Enter" && !list.hidden && at >= 0) {
      event.preventDefault();
      choose(found[at]);
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    }
  });
  // Before the field loses its focus, which would close the list.
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("li");
    if (option) choose(found[[...list.children].indexOf(option)]);
  });
}
