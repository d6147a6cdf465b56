// The drawing of the timeline: rates, batches as bars from delivery to load, workflows, and outages behind all of them.
// Every bar is a link. One Tab stop leads into the drawing; the arrow keys move inside it.

import { element, pathTo, svg } from "./dom.js";
import { batches as countBatches, clock, count, duration, number, rate, secondsBetween } from "./format.js";
import { assessWord } from "./state.js";

const MAX_BARS = 240;
const RATES_HEIGHT = 64;
const MIN_BATCHES_HEIGHT = 60;
const MAX_BATCHES_HEIGHT = 320;
const MAX_EXECUTIONS = 300;
const MAX_ROWS = 6;
const ROW_HEIGHT = 16;
const LABEL_HEIGHT = 22;
const AXIS_HEIGHT = 22;
const MINUTE_MS = 60_000;
const MIN_BAR_WIDTH = 3;
const TICK_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];

/** Draws a timeline for a width in pixels. `onPoint(text)` gets the text of the bar under pointer or focus, or "". */
export function drawTimeline(timeline, width, onPoint) {
  const from = Date.parse(timeline.from);
  const to = Date.parse(timeline.to);
  const x = (moment) => Math.min(width, Math.max(0, ((moment - from) / (to - from)) * width));
  const lanes = [];
  let y = AXIS_HEIGHT;
  const add = (title, height, draw) => {
    lanes.push(svg("text", { class: "lane", x: 0, y: y + 15 }, title), draw(y + LABEL_HEIGHT, height));
    y += LABEL_HEIGHT + height + 8;
  };
  const highest = Math.max(...timeline.rates.flatMap(({ accepted, applied }) => [accepted ?? 0, applied ?? 0]), 0);
  add(timeline.rates.length ? `Writes per second, up to ${rate(highest)}` : "Writes per second: no data", RATES_HEIGHT,
    (top, height) => drawRates(timeline.rates, highest, x, top, height));
  const bars = joinBatches(timeline.batches, to);
  const batchesHeight = Math.min(MAX_BATCHES_HEIGHT, Math.max(MIN_BATCHES_HEIGHT, bars.length * 4));
  add(`${countBatches(timeline.batches.length)}, from delivery to load`, batchesHeight,
    (top, height) => drawBatches(bars, x, top, height));
  for (const [workflow, executions] of groupByWorkflow(timeline.executions)) {
    const latest = executions.slice(-MAX_EXECUTIONS);
    const rows = packRows(latest, to);
    const omitted = latest.length < executions.length ? `, the latest ${number(latest.length)}` : "";
    add(`${workflow}: ${count(executions.length, "execution")}${omitted}`, Math.max(1, rows.length) * ROW_HEIGHT,
      (top) => drawExecutions(rows, x, top, to));
  }
  const size = { width, height: y, viewBox: `0 0 ${width} ${y}` };
  const drawing = svg("svg", { class: "timeline", role: "group", "aria-label": describeTimeline(timeline), ...size },
    drawPattern(), drawOutages(timeline.outages, x, y, to), drawAxis(from, to, x, width, y), lanes);
  // Not on the drawing: Chromium lets Tab stop at an SVG element that listens to focus.
  const frame = element("div", { class: "drawing" }, drawing);
  moveByArrowKeys(frame, onPoint);
  return frame;
}

/** The timeline in one sentence, the drawing's name for a screen reader. */
export function describeTimeline({ batches, executions, outages }) {
  const unloaded = batches.filter((batch) => !batch.loaded_at).length;
  const parts = [
    countBatches(batches.length), `${number(unloaded)} of them not loaded`,
    count(executions.length, "execution"), count(outages.length, "outage"),
  ];
  return `Timeline: ${parts.join(", ")}. The tables below have the same.`;
}

// When something ended; what has not ended goes on at the end of the timeline.
function endOf(moment, to) {
  return moment ? Date.parse(moment) : to;
}

/** What an outage is called: that of batches that waited, or of a server, by its name. */
export function nameOutage({ kind }) {
  return kind === "batches" ? "batches waited" : `${kind} unavailable`;
}

function describeOutage(outage) {
  const end = outage.to ? `until ${clock(outage.to)}` : "and goes on";
  return `Outage: ${nameOutage(outage)}, from ${clock(outage.from)} ${end}, ${duration(secondsBetween(outage.from, outage.to))}`;
}

function drawPattern() {
  const pattern = { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  return svg("defs", {}, svg("pattern", pattern,
    svg("rect", { class: "hatch-ground", width: 8, height: 8 }), svg("rect", { class: "hatch-line", width: 2, height: 8 })));
}

function drawOutages(outages, x, height, to) {
  return outages.map((outage) => {
    const left = x(Date.parse(outage.from));
    const right = Math.max(left + MIN_BAR_WIDTH, x(endOf(outage.to, to)));
    const label = describeOutage(outage);
    return svg("g", { class: "mark outage", role: "img", tabindex: "-1", "data-lane": "outages", "aria-label": label },
      svg("rect", { x: left, y: AXIS_HEIGHT, width: right - left, height: height - AXIS_HEIGHT, fill: "url(#hatch)" }),
      svg("path", { class: "edge", d: `M${left} ${AXIS_HEIGHT}V${height}M${right} ${AXIS_HEIGHT}V${height}` }));
  });
}

function drawAxis(from, to, x, width, height) {
  const minutes = (to - from) / MINUTE_MS;
  const maxTicks = Math.max(2, Math.floor(width / 80));
  const step = MINUTE_MS * (TICK_MINUTES.find((candidate) => minutes / candidate <= maxTicks) ?? 1440);
  const ticks = [];
  for (let moment = Math.ceil(from / step) * step; moment <= to; moment += step) {
    const left = x(moment);
    const anchor = left < 20 ? "start" : left > width - 20 ? "end" : "middle";
    ticks.push(svg("path", { class: "grid", d: `M${left} ${AXIS_HEIGHT}V${height}` }),
      svg("text", { class: "tick", x: left, y: 14, "text-anchor": anchor }, clock(moment, false)));
  }
  return svg("g", { "aria-hidden": "true" }, ticks);
}

function drawRates(rates, highest, x, top, height) {
  const y = (value) => top + height - ((value ?? 0) / (highest || 1)) * (height - 4);
  // Each rate is that of a period, which ends where the next one begins; the last one lasts a minute.
  const ends = rates.map((sample, position) => endOf(rates[position + 1]?.at, Date.parse(sample.at) + MINUTE_MS));
  const points = (name) => rates.map((sample, position) => {
    const height = y(sample[name]).toFixed(1);
    return `${x(Date.parse(sample.at)).toFixed(1)},${height} ${x(ends[position]).toFixed(1)},${height}`;
  }).join(" ");
  return svg("g", { class: "rates", role: "img", "aria-label": `Rates: at most ${rate(highest)} writes per second` },
    svg("path", { class: "base", d: `M0 ${top + height}H${x(Infinity)}` }),
    svg("polyline", { class: "accepted", points: points("accepted") }),
    svg("polyline", { class: "applied", points: points("applied") }));
}

// Many batches are joined to bars of neighbours, so that the drawing stays small and quick.
function joinBatches(batches, to) {
  const sorted = [...batches].sort((first, second) => Date.parse(first.delivered_at) - Date.parse(second.delivered_at));
  const perBar = Math.ceil(sorted.length / MAX_BARS) || 1;
  const bars = [];
  for (let start = 0; start < sorted.length; start += perBar) bars.push(createBar(sorted.slice(start, start + perBar), to));
  return bars;
}

// A bar of several batches has the first of these states that one of them has.
const WORST = ["parked", "quarantined", "pending"];

function createBar(members, to) {
  const [first] = members;
  const from = Date.parse(first.delivered_at);
  const state = WORST.find((candidate) => members.some((batch) => batch.state === candidate)) ?? first.state;
  const end = Math.max(...members.map((batch) => endOf(batch.loaded_at, to)));
  const writes = members.reduce((sum, batch) => sum + (batch.writes ?? 0), 0);
  const [name, path] = members.length === 1
    ? [`Batch ${first.key.split("/").at(-1)}`, pathTo("batches", first.key)]
    : [countBatches(members.length), pathTo("batches")];
  const outcome = state === "loaded" ? `loaded at ${clock(end)}, after ${duration((end - from) / 1000)}` : assessWord(state)[1];
  const label = `${name}: delivered at ${clock(from)}, ${outcome}${writes ? `, ${count(writes, "write")}` : ""}`;
  return { state, from, end, path, label };
}

// Later batches are lower, so that an outage shows as bars that all end at the recovery.
function drawBatches(bars, x, top, height) {
  const step = Math.min(10, height / Math.max(1, bars.length));
  return bars.map((bar, position) =>
    drawBar({ ...bar, lane: "batches" }, x(bar.from), x(bar.end), top + position * step, Math.max(1.2, step * 0.8)));
}

function drawBar({ lane, state, path, label }, left, right, top, height) {
  const [tone] = assessWord(state);
  return svg("a", { class: "mark", href: path, tabindex: "-1", "data-lane": lane, "data-state": tone, "aria-label": label },
    svg("rect", { class: "bar", x: left, y: top, width: Math.max(MIN_BAR_WIDTH, right - left), height, rx: Math.min(2, height / 2) }));
}

function groupByWorkflow(executions) {
  const groups = new Map();
  for (const execution of executions) {
    if (!groups.has(execution.workflow)) groups.set(execution.workflow, []);
    groups.get(execution.workflow).push(execution);
  }
  for (const members of groups.values()) members.sort((first, second) => Date.parse(first.started_at) - Date.parse(second.started_at));
  return [...groups].sort(([first], [second]) => first.localeCompare(second));
}

// Executions that overlap go to different rows, up to MAX_ROWS.
function packRows(executions, to) {
  const rows = [];
  for (const execution of executions) {
    const start = Date.parse(execution.started_at);
    let row = rows.find((candidate) => candidate.end <= start) ?? rows[MAX_ROWS - 1];
    if (!row) {
      row = { members: [] };
      rows.push(row);
    }
    row.end = endOf(execution.ended_at, to);
    row.members.push(execution);
  }
  return rows;
}

function drawExecutions(rows, x, top, to) {
  return rows.flatMap(({ members }, row) => members.map((execution) => {
    const { workflow, name, status: state } = execution;
    const start = Date.parse(execution.started_at);
    const end = endOf(execution.ended_at, to);
    const label = `Workflow ${workflow}, ${name}: ${assessWord(state)[1]}, started at ${clock(start)}, ` +
      `${duration((end - start) / 1000)}`;
    const bar = { lane: workflow, state, path: pathTo("executions", workflow, name), label };
    return drawBar(bar, x(start), x(end), top + row * ROW_HEIGHT, ROW_HEIGHT - 4);
  }));
}

function moveByArrowKeys(frame, onPoint) {
  const marks = [...frame.querySelectorAll(".mark")];
  if (!marks.length) return;
  marks[0].setAttribute("tabindex", "0");
  const say = (event) => onPoint(event.target.closest(".mark")?.getAttribute("aria-label") ?? "");
  const focus = (mark) => {
    for (const other of marks) other.setAttribute("tabindex", "-1");
    mark.setAttribute("tabindex", "0");
    mark.focus();
  };
  frame.addEventListener("pointerover", say);
  frame.addEventListener("focusin", say);
  frame.addEventListener("keydown", (event) => {
    const mark = event.target.closest(".mark");
    if (!mark) return;
    const inLane = marks.filter((other) => other.dataset.lane === mark.dataset.lane);
    const lanes = [...new Set(marks.map((other) => other.dataset.lane))];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const laneStep = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    let next = null;
    if (step) next = inLane[inLane.indexOf(mark) + step];
    else if (laneStep) next = marks.find((other) => other.dataset.lane === lanes[lanes.indexOf(mark.dataset.lane) + laneStep]);
    else if (event.key === "Home") next = inLane[0];
    else if (event.key === "End") next = inLane.at(-1);
    else return;
    event.preventDefault();
    if (next) focus(next);
  });
}
