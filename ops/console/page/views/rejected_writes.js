// Rejected writes: what the database can never accept, with the reason, and the commands for it.

import { getJson } from "../server.js";
import { commandLinks, element, heading, notice, pathTo } from "../dom.js";
import { count } from "../format.js";
import { showWithRefresh } from "../loader.js";
import { listing } from "../table.js";
import { linkToItem } from "./item.js";

export const TITLE = "Rejected writes";

export function show(main) {
  const head = heading(TITLE,
    "The database can never accept these writes as they are. Correct the resource class and retry them, or drop them.");
  const links = [
    element("a", { class: "button", href: pathTo("commands", "rejected-writes retry") }, "Retry…"),
    element("a", { class: "button", href: pathTo("commands", "rejected-writes drop") }, "Drop…"),
  ];
  return showWithRefresh(main, head, links, (signal) => getJson("/api/rejected-writes", {}, signal), (document) =>
    listing(document, (shown) => count(shown, "rejected write"), COLUMNS,
      notice("ok", "No write is rejected.", "The database accepted every write that was loaded.")));
}

const COLUMNS = [
  { title: "Item", cell: (write) => element("a", { class: "key", href: linkToItem(write) }, `${write.collection}/${write.id}`) },
  { title: "Reason", cell: (write) => write.reason },
  { title: "Version", cell: (write) => element("code", {}, write.version) },
  { title: "Batch", cell: ({ batch, line }) =>
    [element("a", { class: "key", href: pathTo("batches", batch) }, batch), ` line ${line}`] },
  { title: "Commands", cell: ({ version }) =>
    commandLinks(version, [["Retry", "rejected-writes retry"], ["Drop", "rejected-writes drop"]], { version }) },
];
