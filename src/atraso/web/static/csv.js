// CSV as people have it: comma, semicolon or tab, quoted or not, with or without a byte order mark.

import { meant } from "./names.js";
import { t } from "./words.js";

const OWN = ["airline", "flight_number", "destination", "scheduled_departure", "origin"];
// The columns of the file of Santiago de Chile for the same facts.
const SCL = { "Fecha-I": "scheduled_departure", "Vlo-I": "flight_number", "Des-I": "destination", "Emp-I": "airline" };
const CODE = /^[A-Z0-9]{3,4}$/;
const FORMULA = /^[=+\-@\t\r]/;

const NEEDED = OWN.slice(0, 4);

// A file's text: UTF-8, or what its byte order mark says, or else the code page that spreadsheets of the West write.
export function textOf(name, bytes) {
  const [first, second] = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  const marked = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  let content;
  try {
    content = new TextDecoder(marked, { fatal: true }).decode(bytes);
  } catch {
    content = new TextDecoder("windows-1252").decode(bytes);
  }
  if (content.includes("\0")) throw new Error(t("csv.binary", { name }));
  return content;
}

// Rows of cells; a row with a quote that is never closed is marked so.
export function rowsOf(content) {
  let source = content.replace(/^\uFEFF?\s*/, "");
  const told = /^sep=(.)\r?\n/i.exec(source); // as Excel says it
  if (told) source = source.slice(told[0].length);
  const head = source.slice(0, source.search(/[\r\n]|$/));
  const separator = told ? told[1]
    : [",", ";", "\t"].reduce((a, b) => (head.split(b).length > head.split(a).length ? b : a));
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < source.length; i += 1) {
    const sign = source[i];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (source[i + 1] === '"') { cell += '"'; i += 1; } else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === separator) { row.push(cell); cell = ""; }
    else if (sign === "\n" || sign === "\r") {
      if (sign === "\r" && source[i + 1] === "\n") i += 1;
      row.push(cell);
      rows.push(row);
      row = [];
      cell = "";
    } else cell += sign;
  }
  if (cell || row.length) rows.push(Object.assign([...row, cell], { open: quoted }));
  return rows;
}

function columnsOf(name, head) {
  const titles = head.map((title) => title.trim());
  const columns = titles.map((title) => SCL[title] || title.toLowerCase().replace(/[\s-]+/g, "_"));
  const missing = NEEDED.filter((column) => !columns.includes(column));
  if (missing.length) {
    const found = titles.filter(Boolean).join(", ").slice(0, 200);
    throw new Error(t("csv.columns", { name, missing: missing.join(", "), found }));
  }
  const twice = OWN.find((column) => columns.filter((one) => one === column).length > 1);
  if (twice) throw new Error(t("csv.twice", { name, column: twice }));
  return columns;
}

// Flights with the number of their row, counted from 1 below the head, and rows that cannot be read.
export function flightsOf(name, content) {
  const [head, ...body] = rowsOf(content);
  if (!head) throw new Error(t("csv.empty", { name }));
  const columns = columnsOf(name, head);
  if (!body.length) throw new Error(t("csv.empty", { name }));
  const flights = [];
  const rejects = [];
  body.forEach((cells, i) => {
    const row = i + 1;
    if (cells.every((value) => !value.trim())) return;
    if (cells.open) rejects.push({ row, why: t("csv.quote") });
    else if (cells.length !== columns.length) {
      rejects.push({ row, why: t("csv.width", { cells: cells.length, columns: columns.length }) });
    } else {
      const flight = {};
      columns.forEach((column, at) => {
        const value = cells[at].trim();
        if (OWN.includes(column) && (value || column !== "origin")) flight[column] = value;
      });
      // People write names of places; what looks like a code is left to the service.
      if (!CODE.test(flight.destination)) flight.destination = meant("destinations", flight.destination);
      flights.push({ row, flight });
    }
  });
  if (!flights.length && !rejects.length) throw new Error(t("csv.empty", { name }));
  return { flights, rejects };
}

// A spreadsheet takes a text that begins so for a formula.
const guarded = (value) => (typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value ?? ""));
const written = (value) => {
  const plain = guarded(value);
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};

export const csvOf = (columns, rows) =>
  `${[columns, ...rows].map((row) => row.map(written).join(",")).join("\r\n")}\r\n`;
