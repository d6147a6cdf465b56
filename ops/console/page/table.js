// Tables of rows from the server. On a narrow screen each row becomes a card; the roles keep it a table for a screen reader.

import { element, problemNotices } from "./dom.js";
import { words } from "./format.js";

/** A table. `columns` are {title, cell(row), isNumber}; `caption` says what the rows are. */
export function table(caption, columns, rows) {
  const head = columns.map(({ title, isNumber }) =>
    element("th", { scope: "col", role: "columnheader", class: isNumber ? "number" : null }, title));
  const body = rows.map((row) => element("tr", { role: "row" },
    columns.map(({ title, cell, isNumber }) =>
      element("td", { role: "cell", "data-title": title, class: isNumber ? "number" : null },
        element("div", {}, cell(row) || "–")))));
  return element("table", { role: "table" },
    element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element("tbody", { role: "rowgroup" }, body));
}

/** The table of a listing {rows, is_complete}, or `empty` when it has no rows. `caption(count)` words the caption. */
export function listing({ rows, is_complete: isComplete, problems }, caption, columns, empty) {
  const notices = problemNotices(problems);
  if (!rows.length) return notices.length ? element("div", {}, notices) : empty;
  const more = !isComplete && element("p", { class: "quiet" }, "There are more; only these are listed.");
  return element("div", {}, notices, table(caption(rows.length), columns, rows), more);
}

/** Every member of a document as names and values; nested ones as indented JSON. */
export function members(document, formats = {}) {
  return element("dl", { class: "members" }, Object.entries(document).map(([name, value]) =>
    element("div", {}, element("dt", {}, words(name)), element("dd", {}, show(value, formats[name])))));
}

function show(value, format) {
  if (value === null || value === undefined || value === "") return element("span", { class: "quiet" }, "–");
  if (format) return format(value);
  return typeof value === "object" ? json(value) : String(value);
}

/** A document as indented JSON in a block that scrolls by itself, also by keyboard. */
export function json(value, label = "JSON") {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return element("pre", { tabindex: "0", role: "region", "aria-label": label }, text);
}
