// Timeline: what happened to batches and workflows, drawn and as tables.

import { getJson } from "../server.js";
import { describeTimeline, drawTimeline, nameOutage } from "../chart.js";
import { append, element, heading, notice, pathTo, problemNotices, setText, stateMark } from "../dom.js";
import { duration, secondsBetween, size, time } from "../format.js";
import { Loader } from "../loader.js";
import { assessWord } from "../state.js";
import { table } from "../table.js";

export const TITLE = "Timeline";

const RANGES = [[5, "5 minutes"], [15, "15 minutes"], [60, "1 hour"], [360, "6 hours"], [1440, "24 hours"]];
const REFRESH_MS = 10_000;
// Padding and border of the frame around the drawing.
const FRAME_PIXELS = 26;

export function show(main, { query, stack }) {
  // A local stack is often younger than an hour.
  const range = createRange(query, stack.is_local ? 15 : 60);
  let timeline = null;
  const loader = new Loader();
  const { place } = loader;
  append(main,
    heading(TITLE, "Each bar is a batch from its delivery to its load, or an execution of a workflow. Hatched times are outages."),
    element("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      element("label", { for: range.id }, "Time range"), range),
    place,
  );
  const read = (signal) => getJson("/api/timeline", { minutes: range.value }, signal);
  const draw = (document) => {
    timeline = document;
    return createContent(timeline, place.clientWidth - FRAME_PIXELS);
  };
  range.addEventListener("change", () => loader.load(read, draw));
  // A tick must not take the focus out of the drawing or close an open table.
  const isInUse = () => place.contains(document.activeElement) || place.querySelector("details[open]");
  const timer = setInterval(() => {
    if (timeline && !isInUse() && !document.hidden) loader.load(read, draw, { isQuiet: true });
  }, REFRESH_MS);
  let width = 0;
  const observer = new ResizeObserver(() => {
    if (timeline && place.clientWidth !== width && !isInUse()) place.replaceChildren(draw(timeline));
    width = place.clientWidth;
  });
  observer.observe(place);
  loader.load(read, draw);
  return {
    stop() {
      clearInterval(timer);
      observer.disconnect();
      loader.stop();
    },
  };
}

/** A choice of the time that a view shows, in minutes: that of the query, or a default. */
export function createRange(query, minutes) {
  const chosen = Number(query.get("minutes")) || minutes;
  return element("select", { id: "range" },
    RANGES.map(([value, label]) => element("option", { value, selected: value === chosen }, label)));
}

function createContent(timeline, width) {
  const hint = "Point at a bar, or move with the arrow keys.";
  const detail = element("p", { class: "detail" }, hint);
  const isEmpty = !timeline.batches.length && !timeline.executions.length && !timeline.outages.length;
  const drawing = drawTimeline(timeline, Math.max(240, width), (text) => setText(detail, text || hint));
  return element("div", {},
    problemNotices(timeline.problems),
    !timeline.is_complete && notice("attention", "There are more batches than these.", "Choose a shorter time range."),
    isEmpty && notice("unknown", "Nothing happened in this time.", "Choose a longer time range, or send a write."),
    element("p", { class: "unseen" }, describeTimeline(timeline)),
    drawing, detail, createLegend(), createTables(timeline));
}

const LEGEND = [
  ["accepted", "accepted"], ["applied", "applied"], ["ok", "loaded, succeeded"], ["running", "pending, running"],
  ["problem", "parked, failed"], ["attention", "quarantined"], ["outage", "outage"],
];

function createLegend() {
  return element("ul", { class: "legend", "aria-label": "Legend" }, LEGEND.map(([state, text]) =>
    element("li", {}, element("span", { class: "swatch", "data-state": state, "aria-hidden": "true" }), text)));
}

function createTables({ outages, executions, batches }) {
  return element("details", { class: "tables" },
    element("summary", {}, "Show the timeline as tables"),
    table(`Outages: ${outages.length}`, [
      { title: "Kind", cell: nameOutage },
      { title: "From", cell: (outage) => time(outage.from) },
      { title: "To", cell: (outage) => (outage.to ? time(outage.to) : stateMark("problem", "goes on")) },
      { title: "Duration", isNumber: true, cell: (outage) => duration(secondsBetween(outage.from, outage.to)) },
    ], outages),
    table(`Executions: ${executions.length}`, EXECUTION_COLUMNS, executions),
    table(`Batches: ${batches.length}`, BATCH_COLUMNS, batches));
}

export const EXECUTION_COLUMNS = [
  { title: "Execution", cell: ({ workflow, name }) => element("a", { href: pathTo("executions", workflow, name) }, name) },
  { title: "Workflow", cell: (execution) => execution.workflow },
  { title: "Status", cell: (execution) => stateMark(...assessWord(execution.status)) },
  { title: "Started", cell: (execution) => time(execution.started_at) },
  { title: "Duration", isNumber: true, cell: (execution) => duration(secondsBetween(execution.started_at, execution.ended_at)) },
];

export const BATCH_COLUMNS = [
  { title: "Batch", cell: ({ key }) => element("a", { href: pathTo("batches", key), class: "key" }, key) },
  { title: "State", cell: (batch) => stateMark(...assessWord(batch.state)) },
  { title: "Writes", isNumber: true, cell: (batch) => batch.writes?.toLocaleString("en") },
  { title: "Size", isNumber: true, cell: (batch) => size(batch.bytes) },
  { title: "Delivered", cell: (batch) => time(batch.delivered_at) },
  { title: "Loaded", cell: (batch) => time(batch.loaded_at) },
];
