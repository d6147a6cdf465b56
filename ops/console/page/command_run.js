// A run of a command: its output line by line, and its end.

import { apiPath, readEvents, startCommand } from "./server.js";
import { announce, element, notice, stateMark, updateMark } from "./dom.js";
import { json } from "./table.js";

const MAX_LINES = 5_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 2_000;

/** Starts a command and shows its output in `place`. Resolves to its exit code; null when it did not start or was lost. */
export async function runCommand(place, name, request) {
  const title = request.dry_run ? `Dry run of ${name}` : name;
  const mark = stateMark("running", "running");
  const output = element("pre", { class: "output", role: "log", tabindex: "0", "aria-label": `Output of ${title}` });
  const end = element("div");
  place.replaceChildren(element("h2", {}, title), element("p", {}, mark), output, end);
  let run;
  try {
    run = await startCommand(name, request);
  } catch (error) {
    updateMark(mark, "problem", "not started");
    end.replaceChildren(notice("problem", error.message, error.hint));
    return null;
  }
  const result = await readRun(run, output);
  showEnd(result, title, mark, end);
  return result?.exit_code ?? null;
}

// The server sends a run from its first line, so a lost stream is read again from there.
async function readRun(run, output) {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
    if (attempt) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    output.replaceChildren();
    try {
      for await (const { name, data } of readEvents(apiPath("runs", run, "events"))) {
        if (name === "line") appendLine(output, data.text);
        if (name === "end") return data;
      }
    } catch (error) {
      if (error.status) return null;
    }
  }
  return null;
}

function appendLine(output, text) {
  const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 4;
  output.append(`${text}\n`);
  while (output.childNodes.length > MAX_LINES) output.firstChild.remove();
  if (isAtEnd) output.scrollTop = output.scrollHeight;
}

function showEnd(result, title, mark, end) {
  if (!result) {
    updateMark(mark, "problem", "connection lost");
    end.replaceChildren(notice("problem", "The connection to the run is lost.", "The command may go on: see Executions."));
    return;
  }
  const isDone = result.exit_code === 0;
  const text = isDone ? "done" : `ended with exit code ${result.exit_code}`;
  updateMark(mark, isDone ? "ok" : "problem", text);
  announce(`${title}: ${text}`);
  if (result.report && typeof result.report === "object") {
    end.replaceChildren(element("details", {}, element("summary", {}, "Report"), json(result.report, "Report")));
  }
}
