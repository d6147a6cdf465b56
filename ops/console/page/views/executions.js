// Executions of the workflows: the list, and one execution with its input and output.

import { getJson } from "../server.js";
import { append, element, heading, notice, pathTo, stateMark } from "../dom.js";
import { count, duration, secondsBetween, time } from "../format.js";
import { Loader } from "../loader.js";
import { assessWord } from "../state.js";
import { json, listing, members } from "../table.js";
import { EXECUTION_COLUMNS } from "./timeline.js";

export const TITLE = "Executions";

export function show(main, { parts }) {
  return parts.length === 2 ? showExecution(main, ...parts) : showList(main);
}

function showList(main) {
  const place = element("div", { class: "place" });
  const loader = new Loader(place);
  const load = () => loader.load((signal) => getJson("/api/executions", {}, signal), (document) =>
    listing(document, (shown) => count(shown, "execution"), EXECUTION_COLUMNS,
      notice("unknown", "No workflow ran yet.", "A load starts with the first batch.")));
  append(main,
    heading(TITLE, "What the workflows did, the latest first."),
    element("p", { class: "actions" }, element("button", { type: "button", onclick: load }, "Refresh")), place,
  );
  load();
  return { stop: () => loader.stop() };
}

function showExecution(main, workflow, name) {
  const place = element("div", { class: "place" });
  const loader = new Loader(place);
  const load = () => loader.load((signal) =>
    getJson(`/api/executions/${encodeURIComponent(workflow)}/${encodeURIComponent(name)}`, {}, signal), createDetails);
  append(main,
    heading(`Execution of ${workflow}`), element("p", { class: "key" }, name),
    element("p", { class: "actions" }, element("a", { href: pathTo("executions") }, "All executions"),
      element("button", { type: "button", onclick: load }, "Refresh")), place,
  );
  load();
  return { stop: () => loader.stop() };
}

function createDetails({ input, output, lines, error, message, workflow: _workflow, name: _name, ...rest }) {
  const seconds = secondsBetween(rest.started_at, rest.ended_at);
  return element("div", {},
    members({ ...rest, duration: seconds }, {
      status: (word) => stateMark(...assessWord(word)), started_at: time, ended_at: time, duration,
    }),
    (error || message) && notice("problem", message || error, message ? error : ""),
    lines?.length > 0 && [element("h2", {}, "Report"), json(lines.join("\n"), "Report")],
    element("h2", {}, "Input"), json(input, "Input"),
    output !== null && output !== undefined && [element("h2", {}, "Output"), json(output, "Output")]);
}
