// Quarantine: batches that cannot be read, and the commands for them.

import { getJson } from "../server.js";
import { append, commandLinks, element, heading, notice, pathTo } from "../dom.js";
import { count, size, time } from "../format.js";
import { Loader } from "../loader.js";
import { listing } from "../table.js";

export const TITLE = "Quarantine";

export function show(main) {
  const place = element("div", { class: "place" });
  const loader = new Loader(place);
  const load = () => loader.load((signal) => getJson("/api/quarantine", {}, signal), (document) =>
    listing(document, (shown) => count(shown, "quarantined batch", "quarantined batches"), COLUMNS,
      notice("ok", "The quarantine is empty.", "Every batch could be read.")));
  append(main,
    heading(TITLE, "These batches cannot be read. The archive has their records too."),
    element("p", { class: "actions" },
      element("button", { type: "button", onclick: load }, "Refresh"),
      element("a", { class: "button", href: pathTo("commands", "quarantine retry") }, "Retry…"),
      element("a", { class: "button", href: pathTo("commands", "quarantine drop") }, "Drop…")),
    place,
  );
  load();
  return { stop: () => loader.stop() };
}

const COLUMNS = [
  { title: "Batch", cell: (batch) => element("span", { class: "key" }, batch.key) },
  { title: "Size", isNumber: true, cell: (batch) => size(batch.size) },
  { title: "Quarantined", cell: (batch) => time(batch.since) },
  { title: "Commands", cell: ({ key }) =>
    commandLinks(key, [["Retry", "quarantine retry"], ["Drop", "quarantine drop"]], { keys: key }) },
];
