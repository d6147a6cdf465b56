// Batches: the list by time and state, and one batch with its first writes.

import { apiPath, getJson } from "../server.js";
import { append, element, heading, notice, pathTo, stateMark } from "../dom.js";
import { batches, count, size, time } from "../format.js";
import { Loader } from "../loader.js";
import { assessWord } from "../state.js";
import { listing, members, table } from "../table.js";
import { linkToItem } from "./item.js";
import { BATCH_COLUMNS, createRange } from "./timeline.js";

export const TITLE = "Batches";

const STATES = ["pending", "parked", "loaded"];

export function show(main, { parts, query }) {
  return parts.length ? showBatch(main, parts.join("/")) : showList(main, query);
}

function showList(main, query) {
  const range = createRange(query, 60);
  const state = element("select", { id: "state" },
    element("option", { value: "" }, "every state"),
    STATES.map((value) => element("option", { value, selected: value === query.get("state") }, value)));
  const loader = new Loader();
  const read = (signal) => getJson("/api/batches", { minutes: range.value, state: state.value }, signal);
  const load = () => loader.load(read, (document) =>
    listing(document, batches, BATCH_COLUMNS,
      notice("ok", state.value ? `No batch in this time is ${state.value}.` : "No batch in this time.",
        "A batch appears some seconds after a write.")));
  state.addEventListener("change", load);
  range.addEventListener("change", load);
  append(main,
    heading(TITLE, "A batch is one object of writes, as the stream delivered it to S3."),
    element("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      element("label", { for: range.id }, "Time range"), range,
      element("label", { for: state.id }, "State"), state,
      element("button", { type: "button", onclick: load }, "Refresh")),
    loader.place,
  );
  load();
  return { stop: () => loader.stop() };
}

function showBatch(main, key) {
  const loader = new Loader();
  append(main,
    heading("Batch"), element("p", { class: "key" }, key),
    element("p", {}, element("a", { href: pathTo("batches") }, "All batches")), loader.place,
  );
  loader.load((signal) => getJson(apiPath("batches", ...key.split("/")), {}, signal), showContent);
  return { stop: () => loader.stop() };
}

const FORMATS = { state: (word) => stateMark(...assessWord(word)), delivered_at: time, loaded_at: time, bytes: size };

function showContent({ batch: { key: _, ...figures }, writes, is_complete: isComplete }) {
  return element("div", {}, members(figures, FORMATS), element("h2", {}, "Writes"),
    writes.length
      ? table(`${isComplete ? "" : "The first "}${count(writes.length, "write")}`, WRITE_COLUMNS, writes)
      : notice("unknown", "No write of this batch can be shown."));
}

const WRITE_COLUMNS = [
  { title: "Item", cell: (write) => element("a", { class: "key", href: linkToItem(write) }, `${write.collection}/${write.id}`) },
  { title: "Operation", cell: (write) => write.operation },
  { title: "Version", cell: (write) => element("code", {}, write.version) },
  { title: "Accepted", cell: (write) => time(write.accepted_at) },
  { title: "Request id", cell: (write) => element("code", {}, write.request_id) },
];
