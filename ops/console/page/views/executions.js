// Executions of the workflows: the list, and one execution with its input and output.

import { apiPath, getJson } from "../server.js";
import { element, heading, notice, pathTo, stateMark } from "../dom.js";
import { count, duration, secondsBetween, time } from "../format.js";
import { showWithRefresh } from "../loader.js";
import { assessWord } from "../state.js";
import { json, listing, members } from "../table.js";
import { EXECUTION_COLUMNS } from "./timeline.js";

export const TITLE = "Executions";

export function show(main, { parts }) {
  return parts.length === 2 ? showExecution(main, ...parts) : showList(main);
}

function showList(main) {
  const head = heading(TITLE, "What the workflows did, the latest first.");
  return showWithRefresh(main, head, [], (signal) => getJson("/api/executions", {}, signal), (document) =>
    listing(document, (shown) => count(shown, "execution"), EXECUTION_COLUMNS,
      notice("unknown", "No workflow ran yet.", "A load starts with the first batch.")));
}

function showExecution(main, workflow, name) {
  const head = [heading(`Execution of ${workflow}`), element("p", { class: "key" }, name)];
  const links = element("a", { href: pathTo("executions") }, "All executions");
  const read = (signal) => getJson(apiPath("executions", workflow, name), {}, signal);
  return showWithRefresh(main, head, links, read, createDetails);
}

function createDetails({ input, output, lines, error, message, workflow: _workflow, name: _name, ...rest }) {
  const seconds = secondsBetween(rest.started_at, rest.ended_at);
  return element("div", {},
    members({ ...rest, duration: seconds }, {
      status: (word) => stateMark(...assessWord(word)), started_at: time, ended_at: time, duration,
    }),
    (error || message) && notice("problem", message || error, message ? error : ""),
    lines.length > 0 && [element("h2", {}, "Report"), json(lines.join("\n"), "Report")],
    element("h2", {}, "Input"), json(input, "Input"),
    output !== null && [element("h2", {}, "Output"), json(output, "Output")]);
}
