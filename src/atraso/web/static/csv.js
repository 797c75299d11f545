// CSV as people have it: comma, semicolon or tab, quoted or not, with or without a byte order mark.

import { t } from "./words.js";

const OWN = ["airline", "flight_number", "destination", "scheduled_departure", "origin"];
// The columns of the file of Santiago de Chile for the same facts.
const SCL = { "Fecha-I": "scheduled_departure", "Vlo-I": "flight_number", "Des-I": "destination", "Emp-I": "airline" };
const FORMULA = /^[=+\-@\t\r]/;

export function rowsOf(content) {
  const source = content.replace(/^\uFEFF/, "");
  const head = source.slice(0, source.search(/[\r\n]|$/));
  const separator = [",", ";", "\t"].reduce((a, b) => (head.split(b).length > head.split(a).length ? b : a));
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
  if (cell || row.length) rows.push([...row, cell]);
  return rows;
}

// Flights with the number of their row, counted from 1 below the head, and rows that cannot be read.
export function flightsOf(name, content) {
  const [head, ...body] = rowsOf(content);
  if (!head || !body.length) throw new Error(t("csv.empty", { name }));
  const columns = head.map((title) => SCL[title.trim()] || title.trim().toLowerCase());
  const needed = OWN.slice(0, 4);
  if (!needed.every((column) => columns.includes(column))) throw new Error(t("csv.columns", { name }));
  const flights = [];
  const rejects = [];
  body.forEach((cells, i) => {
    if (cells.length === 1 && !cells[0].trim()) return;
    if (cells.length !== columns.length) {
      rejects.push({ row: i + 1, why: t("csv.width", { cells: cells.length, columns: columns.length }) });
      return;
    }
    const flight = {};
    columns.forEach((column, at) => {
      const value = cells[at].trim();
      if (OWN.includes(column) && (value || column !== "origin")) flight[column] = value;
    });
    flights.push({ row: i + 1, flight });
  });
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
