"use strict";
// Answers the form without leaving the page. Without this script the form loads the page anew with the same answer:
// what is said here in words and numbers is what serving/telling.py says there.

(() => {
  const API_FIELDS = ["airline", "flight_number", "destination", "origin"];
  const BANDS = ["punctual", "late", "later", "latest"];
  const WIDTH = 1000;

  const form = document.getElementById("question");
  const answer = document.getElementById("answer");
  const usual = document.getElementById("usual");
  const button = form.querySelector("button");
  const title = "Atraso";
  let latest = 0;

  const slot = (name) => answer.querySelector(`[data-slot="${name}"]`);
  const say = (name, text) => { slot(name).textContent = text; };
  const halfUp = (number) => Math.floor(number + 0.5);

  function percent(probability) {
    if (probability > 0 && probability < 0.01) return "<1%";
    if (probability > 0.99 && probability < 1) return ">99%";
    return `${halfUp(100 * probability)}%`;
  }

  function compared(prediction) {
    const points = halfUp(100 * prediction.delay_probability) - halfUp(100 * prediction.base_rate);
    if (points === 0) return "the same as usual here";
    const unit = Math.abs(points) === 1 ? "point" : "points";
    return `${Math.abs(points)} ${unit} ${points > 0 ? "more" : "less"} than usual here`;
  }

  function minutesInWords(late) {
    if (late === 0) return "as scheduled";
    return late > 0 ? `${late} min late` : `${-late} min early`;
  }

  function clockAfter(time, late) {
    const [hours, minutes] = time.split(":").map(Number);
    const day = 24 * 60;
    const minute = (((hours * 60 + minutes + late) % day) + day) % day;
    return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  }

  function showBands(exceeds) {
    const shares = [1 - exceeds["15"], exceeds["15"] - exceeds["30"], exceeds["30"] - exceeds["60"], exceeds["60"]];
    let x = 0;
    BANDS.forEach((kind, i) => {
      const rect = answer.querySelector(`rect.${kind}`);
      rect.setAttribute("x", (x * WIDTH).toFixed(2));
      rect.setAttribute("width", (shares[i] * WIDTH).toFixed(2));
      say(kind, percent(shares[i]));
      x += shares[i];
    });
  }

  function showReasons(reasons) {
    const template = document.getElementById("reason");
    const largest = Math.max(...reasons.map((reason) => Math.abs(reason.effect)), 0) || 1;
    slot("reasons").replaceChildren(...reasons.map((reason) => {
      const row = template.content.cloneNode(true);
      const width = (Math.abs(reason.effect) / largest) * (WIDTH / 2);
      const tenths = halfUp(Math.abs(reason.effect) * 1000);
      const sign = tenths === 0 ? "±" : reason.effect > 0 ? "+" : "\u2212";
      row.querySelector(".reason").classList.add(reason.effect >= 0 ? "more" : "less");
      row.querySelector(".group").textContent = reason.group;
      row.querySelector(".value").textContent = reason.value;
      row.querySelector(".figure").textContent = `${sign}${Math.floor(tenths / 10)}.${tenths % 10}`;
      row.querySelector(".effect").setAttribute("x", reason.effect >= 0 ? WIDTH / 2 : WIDTH / 2 - width);
      row.querySelector(".effect").setAttribute("width", width);
      return row;
    }));
  }

  function show(fields, prediction) {
    const flight = `${fields.airline} ${fields.flight_number} to ${fields.destination}, ${fields.date} at ${fields.time}`;
    say("flight", flight);
    say("percent", percent(prediction.delay_probability));
    say("compared", compared(prediction));
    say("usual", percent(prediction.base_rate));
    say("usual-again", percent(prediction.base_rate));
    say("verdict", `The model calls this flight ${prediction.delayed ? "delayed" : "on time"}.`);
    slot("warnings").replaceChildren(...prediction.warnings.map((warning) => {
      const item = document.createElement("li");
      item.textContent = warning;
      return item;
    }));
    showBands(prediction.exceeds);
    for (const name of ["p50", "p80", "p95"]) {
      const late = halfUp(prediction.minutes[name]);
      say(`${name}-clock`, clockAfter(fields.time, late));
      say(`${name}-words`, minutesInWords(late));
    }
    showReasons(prediction.reasons);
    usual.hidden = true;
    answer.hidden = false;
    // On a narrow screen the answer stands below the form: out of sight it would seem that nothing happened.
    if (answer.getBoundingClientRect().top > window.innerHeight / 2) answer.scrollIntoView();
    document.title = `${percent(prediction.delay_probability)} · ${flight} · ${title}`;
  }

  function showError(name, detail) {
    const place = form.querySelector(`[data-error="${name}"]`) || document.getElementById("form-error");
    place.textContent = detail;
    place.hidden = false;
    const input = form.elements[name];
    if (input) input.setAttribute("aria-invalid", "true");
  }

  function clearErrors() {
    for (const place of form.querySelectorAll(".error")) {
      place.textContent = "";
      place.hidden = true;
    }
    for (const input of form.elements) input.removeAttribute("aria-invalid");
  }

  function showProblem(problem) {
    const places = problem.errors || [];
    if (places.length === 0) showError("", problem.detail);
    for (const place of places) {
      const name = place.pointer.split("/").pop();
      showError(name === "scheduled_departure" ? "date" : name, place.detail);
    }
    const first = form.querySelector("[aria-invalid]");
    if (first) first.focus();
  }

  // The form takes the name of a place too, as its list offers it.
  function placeCode(text) {
    const folded = (name) => name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/\s+/g, " ").trim().toUpperCase();
    const places = [...document.getElementById("destinations").options];
    const place = places.findLast((option) => folded(option.dataset.name) === folded(text));
    return place ? place.value : text;
  }

  // Where the service asks who one is: what was shown lives in this variable and nowhere else.
  const login = document.getElementById("login");
  const loginForm = document.getElementById("login-form");
  let authorization = "";
  let afterLogin = null;

  function askWho(detail) {
    const place = document.getElementById("login-error");
    place.textContent = detail;
    place.hidden = !detail;
    if (!login.open) login.showModal();
    return new Promise((resolve) => { afterLogin = resolve; });
  }

  function basic(name, secret) {
    const bytes = new TextEncoder().encode(`${name}:${secret}`);
    return btoa(String.fromCharCode(...bytes));
  }

  async function enter(name, secret) {
    if (name === null) return { authorization: `Bearer ${secret}` };
    if (loginForm.dataset.asks === "password") return { authorization: `Basic ${basic(name, secret)}` };
    const response = await fetch("/v1/token", {
      method: "POST",
      headers: { authorization: `Basic ${basic(name, secret)}` },
    });
    const content = await response.json();
    return response.ok ? { authorization: `Bearer ${content.access_token}` } : { trouble: content.detail };
  }

  if (login) {
    loginForm.addEventListener("submit", async (event) => {
      event.preventDefault();
      const given = new FormData(loginForm);
      const submit = loginForm.querySelector("button");
      submit.disabled = true;
      let found;
      try {
        found = await enter(given.get("name"), given.get("secret").trim());
      } catch {
        found = { trouble: "The service did not answer. Try again in a moment." };
      }
      submit.disabled = false;
      if (found.trouble) {
        const place = document.getElementById("login-error");
        place.textContent = found.trouble;
        place.hidden = false;
        return;
      }
      authorization = found.authorization;
      loginForm.reset();
      login.close("entered");
    });
    login.addEventListener("close", () => {
      const entered = login.returnValue === "entered";
      login.returnValue = "";
      if (afterLogin) afterLogin(entered);
      afterLogin = null;
    });
  }

  // Asks with the token that there is; one that does not count (any more) is asked for anew.
  async function send(body) {
    let detail = "";
    for (;;) {
      if (login && !authorization && !(await askWho(detail))) return null;
      const headers = { "content-type": "application/json" };
      if (authorization) headers.authorization = authorization;
      const response = await fetch("/v1/predictions", { method: "POST", headers, body });
      if (response.status !== 401 || !login) return response;
      authorization = "";
      detail = (await response.json()).detail;
    }
  }

  async function ask(fields) {
    const mine = ++latest;
    const flight = { scheduled_departure: `${fields.date}T${fields.time}` };
    for (const name of API_FIELDS) if (fields[name]) flight[name] = fields[name];
    if (flight.destination) flight.destination = placeCode(flight.destination);
    button.disabled = true;
    try {
      const response = await send(JSON.stringify({ flights: [flight], explain: true }));
      if (response === null) return;
      const content = await response.json();
      if (mine !== latest) return;
      clearErrors();
      if (!response.ok) {
        showProblem(content);
        return;
      }
      show(fields, content.predictions[0]);
      history.replaceState(null, "", `/?${new URLSearchParams(fields)}`);
    } catch {
      clearErrors();
      showError("", "The service did not answer. Try again in a moment.");
    } finally {
      if (mine === latest) button.disabled = false;
    }
  }

  function fieldsNow() {
    const fields = {};
    for (const [name, value] of new FormData(form)) fields[name] = value.trim();
    return fields;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(fieldsNow());
  });
  // The address holds a flight, but the service says nothing to nobody.
  if (login && location.search && form.checkValidity()) ask(fieldsNow());
})();
