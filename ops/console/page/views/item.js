// Item: every write to one item, the latest first.

import { addQuery, ApiError, apiPath, readEvents } from "../server.js";
import { append, element, heading, notice, pathTo, problemNotices, stateMark } from "../dom.js";
import { batches, count, number, time } from "../format.js";
import { Loader } from "../loader.js";
import { assessWord } from "../state.js";
import { json } from "../table.js";

export const TITLE = "Item";

export function show(main, { parts: [collection = "", id = ""], query }) {
  // An address without an owner means items of every owner; one with an empty owner, the item without one.
  const owner = query.get("owner");
  const hours = query.get("hours") || "24";
  const fields = [
    createField("collection", "Collection", collection, { required: true }),
    createField("id", "Id", id, { required: true }),
    createField("owner", "Owner, for a private item", owner ?? ""),
    createField("hours", "Hours to search", hours, { type: "number", min: 1, max: 8760 }),
  ];
  const loader = new Loader();
  const load = () => loader.load(
    (signal, say) => readHistory(apiPath("items", collection, id), { owner, hours }, signal, say),
    (history) => showHistory(history, hours));
  const form = element("form", { class: "fields", onsubmit: (event) => {
    event.preventDefault();
    const values = Object.fromEntries(fields.map(({ input }) => [input.name, input.value.trim()]));
    const address = linkToItem({ ...values, owner: values.owner || null }, values.hours || null);
    if (location.hash === address) load();
    else location.hash = address;
  } },
    fields.map(({ node }) => node),
    element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, "Show the history")));
  append(main, heading(TITLE, "The history of one item: each write, its batch, what became of it and why."), form, loader.place);
  if (collection && id) load();
  return { stop: () => loader.stop() };
}

/** The address of an item's history; without an owner, that of every item with this id. */
export function linkToItem({ collection, id, owner }, hours = null) {
  return addQuery(pathTo("item", collection, id), { owner, hours });
}

function createField(name, label, value, attributes = {}) {
  const input = element("input", { id: `field-${name}`, name, value, autocomplete: "off", spellcheck: "false", ...attributes });
  return { input, node: element("div", { class: "field" }, element("label", { for: input.id }, label), input) };
}

// The search reads batch by batch and says how far it is.
async function readHistory(path, query, signal, say) {
  for await (const { name, data } of readEvents(path, query, signal)) {
    if (name === "history") return data;
    if (name === "problem") throw new ApiError(data.message, data.hint);
    if (name === "progress") say(`Read ${number(data.scanned)} of ${batches(data.total)}, ${count(data.matches, "write")} so far…`);
  }
  throw new ApiError("The search ended without a result.", "Try again.");
}

function showHistory({ item, writes, owners, problems, scanned_batches: scanned, is_complete: isComplete }, hours) {
  const sorted = [...writes].sort((first, second) => (first.version < second.version ? 1 : -1));
  const versions = new Set(sorted.map((write) => write.version));
  return element("div", {},
    problemNotices(problems),
    !isComplete && notice("attention", "The history may lack writes.",
      "The search ended before it had read every batch of this time; search fewer hours."),
    owners.length > 1 && showOwners(item, owners, hours),
    element("h2", {}, `${count(sorted.length, "write")}, the latest first`),
    !sorted.length && notice("unknown", "No write to this item in this time.", "Search more hours."),
    element("ol", { class: "history" }, sorted.map((write) => showWrite(write, versions))),
    element("p", { class: "quiet" }, `${batches(scanned)} read.`));
}

function showOwners({ collection, id }, owners, hours) {
  const box = notice("attention", "Several owners have an item with this id. Choose one:");
  box.append(element("ul", {}, owners.map((owner) =>
    element("li", {}, element("a", { class: "key", href: linkToItem({ collection, id, owner }, hours) }, owner || "no owner")))));
  return box;
}

function showWrite(write, versions) {
  const [state, word] = assessWord(write.state);
  return element("li", { id: `write-${write.version}`, tabindex: "-1" },
    element("h3", {}, element("code", {}, write.version)),
    element("p", {}, stateMark(state, word), " ", element("strong", {}, write.operation), " accepted at ", time(write.accepted_at)),
    element("dl", { class: "members" }, [
      write.superseded_by && ["superseded by", linkToWrite(write.superseded_by, versions)],
      write.reason && ["reason", write.reason],
      ["batch", [element("a", { class: "key", href: pathTo("batches", write.batch) }, write.batch), ` line ${write.line}`]],
      write.copies > 0 && ["copies", `${batches(write.copies)} more have this write`],
      ["request id", write.request_id ? element("code", {}, write.request_id) : "–"],
    ].filter(Boolean).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    write.data !== null && element("details", {}, element("summary", {}, "Data"), json(write.data, "Data of the write")));
}

// Fragments are the page's addresses, so a link inside the page is a button.
function linkToWrite(version, versions) {
  if (!versions.has(version)) return element("code", {}, version);
  return element("button", { type: "button", class: "link", onclick: () => {
    const target = document.getElementById(`write-${version}`);
    target.scrollIntoView({ block: "center" });
    target.focus({ preventScroll: true });
  } }, element("code", {}, version));
}
