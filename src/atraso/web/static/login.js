// Log-in: what was shown is kept in memory, who it is stands in the page's head.

import { ask, asksWho, enterAs } from "./api.js";
import { byId, say, showError } from "./dom.js";
import { fromApi, t } from "./words.js";

let who = "";
let waiting = null;

const basic = (name, secret) =>
  `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${name}:${secret}`)))}`;

async function proved(kind, name, secret) {
  if (kind === "key") {
    enterAs(`Bearer ${secret}`);
    await check();
    return { header: `Bearer ${secret}`, who: t("who.key", { prefix: secret.slice(0, 12) }) };
  }
  if (kind === "password") {
    enterAs(basic(name, secret));
    await check();
    return { header: basic(name, secret), who: name };
  }
  const response = await fetch("/v1/token", { method: "POST", headers: { authorization: basic(name, secret) } });
  const content = await response.json().catch(() => ({}));
  if (response.status === 401) throw new Error(t("login.wrong"));
  if (!response.ok) {
    const seconds = Number(response.headers.get("retry-after")) || 5;
    if (response.status === 429) throw new Error(t("login.held", { seconds }));
    if (response.status === 503) throw new Error(t("login.down", { seconds }));
    throw new Error(fromApi(content.detail || t("trouble.other", { status: response.status })));
  }
  return { header: `Bearer ${content.access_token}`, who: t(content.scope ? "who" : "who.nobody", { name, roles: content.scope }) };
}

// Whether what was shown counts: the card of the model is the smallest thing that needs somebody.
async function check() {
  try {
    await ask("/v1/model", { quiet: true });
  } catch (trouble) {
    if (trouble.kind !== "403") {
      enterAs("");
      throw trouble.kind === "401" ? null : trouble;
    }
  }
}

function show() {
  const known = Boolean(who);
  say(byId("who"), who);
  byId("who").hidden = byId("leave").hidden = !known;
  byId("enter").hidden = known;
}

// *came* is called when somebody has shown who they are without having been asked.
export function start(came) {
  const dialog = byId("login");
  if (!dialog) {
    asksWho(null);
    return;
  }
  const form = byId("login-form");
  const kind = form.dataset.asks;
  const error = byId("login-error");
  const end = (entered) => {
    dialog.close();
    if (waiting) waiting(entered);
    waiting = null;
  };
  const open = (sentence) => {
    showError(error, null, sentence);
    if (!dialog.open) dialog.showModal();
  };
  // Several may ask at once, as the parts of a view do: all of them go on.
  asksWho((sentence) => {
    open(sentence);
    return new Promise((resolve) => {
      const others = waiting;
      waiting = (entered) => { others?.(entered); resolve(entered); };
    });
  }, () => { who = ""; show(); });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = new FormData(form);
    const empty = [...form.querySelectorAll("input")].find((input) => !input.value.trim());
    if (empty) {
      showError(error, null, t("needed.secret"));
      empty.focus();
      return;
    }
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const found = await proved(kind, given.get("name"), given.get("secret").trim());
      enterAs(found.header);
      who = found.who;
      form.reset();
      showError(error, null, "");
      show();
      const asked = waiting;
      end(true);
      if (!asked) came();
    } catch (trouble) {
      const wrong = t(kind === "key" ? "login.wrong.key" : "login.wrong");
      const down = trouble instanceof TypeError ? t("trouble.down") : "";
      showError(error, null, down || trouble?.message || wrong);
      byId("login-secret").focus();
    } finally {
      button.disabled = false;
    }
  });
  dialog.addEventListener("cancel", () => end(false));
  byId("login-cancel").addEventListener("click", () => end(false));
  byId("enter").addEventListener("click", () => open(""));
  byId("leave").addEventListener("click", () => {
    location.assign("/"); // a page loaded anew has forgotten everything
  });
  show();
}
