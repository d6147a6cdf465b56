// Item: every write to one item, the latest first.

import { ApiError, readEvents } from "../server.js";
import { append, element, heading, notice, pathTo, setText, stateMark } from "../dom.js";
import { batches, count, time } from "../format.js";
import { Loader } from "../loader.js";
import { assessWord } from "../state.js";
import { json } from "../table.js";

export const TITLE = "Item";

export function show(main, { parts: [collection = "", id = ""], query }) {
  const fields = [
    createField("collection", "Collection", collection, { required: true }),
    createField("id", "Id", id, { required: true }),
    createField("owner", "Owner, for a private item", query.get("owner") ?? ""),
    createField("hours", "Hours to search", query.get("hours") ?? "24", { type: "number", min: 1, max: 8760 }),
  ];
  const place = element("div", { class: "place" });
  const loader = new Loader(place);
  const read = () => Object.fromEntries(fields.map(({ input }) => [input.name, input.value.trim()]));
  const form = element("form", { class: "fields", onsubmit: (event) => {
    event.preventDefault();
    const request = read();
    const search = new URLSearchParams({ ...(request.owner && { owner: request.owner }), hours: request.hours });
    const address = `${pathTo("item", request.collection, request.id)}?${search}`;
    if (location.hash === address) load();
    else location.hash = address;
  } },
    fields.map(({ node }) => node),
    element("p", { class: "actions" }, element("button", { type: "submit", class: "primary" }, "Show the history")));
  const load = () => {
    const { collection: name, id: key, ...rest } = read();
    const path = `/api/items/${encodeURIComponent(name)}/${encodeURIComponent(key)}`;
    loader.load((signal) => readHistory(path, rest, signal, place), (history) => showHistory(history, rest));
  };
  append(main, heading(TITLE, "The history of one item: each write, its batch, what became of it and why."), form, place);
  if (collection && id) load();
  return { stop: () => loader.stop() };
}

function createField(name, label, value, attributes = {}) {
  const input = element("input", { id: `field-${name}`, name, value, autocomplete: "off", spellcheck: "false", ...attributes });
  return { input, node: element("div", { class: "field" }, element("label", { for: input.id }, label), input) };
}

// The search reads batch by batch and says how far it is.
async function readHistory(path, query, signal, place) {
  for await (const { name, data } of readEvents(path, query, signal)) {
    if (name === "history") return data;
    if (name === "problem") throw new ApiError(data.message, data.hint);
    if (name === "progress") {
      const text = `Read ${data.scanned.toLocaleString("en")} of ${batches(data.total)}, ${count(data.matches, "write")} so far…`;
      setText(place.querySelector(".loading"), text);
    }
  }
  throw new ApiError("The search ended without a result.", "Try again.");
}

function showHistory({ item, writes, owners, problems = [], scanned_batches: scanned, is_complete: isComplete }, { hours }) {
  const sorted = [...writes].sort((first, second) => (first.version < second.version ? 1 : -1));
  const versions = new Set(sorted.map((write) => write.version));
  return element("div", {},
    problems.map(({ message, hint }) => notice("problem", message, hint)),
    isComplete === false && notice("attention", "The history may lack writes.",
      "The search ended before it had read every batch of this time; search fewer hours."),
    owners?.length > 1 && showOwners(item, owners, hours),
    element("h2", {}, `${count(sorted.length, "write")}, the latest first`),
    !sorted.length && notice("unknown", "No write to this item in this time.", "Search more hours."),
    element("ol", { class: "history" }, sorted.map((write) => showWrite(write, versions))),
    element("p", { class: "quiet" }, `${batches(scanned)} read.`));
}

function showOwners({ collection, id }, owners, hours) {
  const box = notice("attention", "Several owners have an item with this id. Choose one:");
  box.append(element("ul", {}, owners.map((owner) => {
    const search = new URLSearchParams({ owner, hours });
    return element("li", {}, element("a", { class: "key", href: `${pathTo("item", collection, id)}?${search}` }, owner || "no owner"));
  })));
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
