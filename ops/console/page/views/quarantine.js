// Quarantine: batches that cannot be read, and the commands for them.

import { getJson } from "../server.js";
import { commandLinks, element, heading, notice, pathTo } from "../dom.js";
import { count, size, time } from "../format.js";
import { showWithRefresh } from "../loader.js";
import { listing } from "../table.js";

export const TITLE = "Quarantine";

export function show(main) {
  const head = heading(TITLE, "These batches cannot be read. The archive has their records too.");
  const links = [
    element("a", { class: "button", href: pathTo("commands", "quarantine retry") }, "Retry…"),
    element("a", { class: "button", href: pathTo("commands", "quarantine drop") }, "Drop…"),
  ];
  return showWithRefresh(main, head, links, (signal) => getJson("/api/quarantine", {}, signal), (document) =>
    listing(document, (shown) => count(shown, "quarantined batch", "quarantined batches"), COLUMNS,
      notice("ok", "The quarantine is empty.", "Every batch could be read.")));
}

const COLUMNS = [
  { title: "Batch", cell: (batch) => element("span", { class: "key" }, batch.key) },
  { title: "Size", isNumber: true, cell: (batch) => size(batch.size) },
  { title: "Quarantined", cell: (batch) => time(batch.since) },
  { title: "Commands", cell: ({ key }) =>
    commandLinks(key, [["Retry", "quarantine retry"], ["Drop", "quarantine drop"]], { keys: key }) },
];
