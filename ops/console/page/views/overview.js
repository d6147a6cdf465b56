// Overview: the pipeline, what needs attention, the alarms, and the running workflows.

import { append, element, heading, pathTo, problemNotices, setText, stateMark, updateMark } from "../dom.js";
import { count, time, utc } from "../format.js";
import { createPipeline } from "../pipeline.js";
import { assess, assessAlarm, isAlarm } from "../state.js";
import { table } from "../table.js";

export const TITLE = "Overview";

const ORDER = { problem: 0, unknown: 1, ok: 2 };

export function show(main, { stack, live }) {
  const verdict = stateMark("unknown", "Reading the state…");
  const readAt = element("span", { class: "quiet" });
  const pipeline = createPipeline();
  const problems = element("div", { class: "place" });
  const calls = element("p", { class: "quiet" });
  const advice = element("div");
  const alarms = element("div");
  const running = element("div");
  append(main,
    heading(TITLE),
    element("p", { class: "verdict" }, verdict, " ", readAt),
    problems,
    section("Pipeline", pipeline.node),
    element("div", { class: "columns" }, section("Advice", advice), section("Running workflows", running)),
    section("Alarms", alarms),
    calls,
  );
  const parts = [
    createPart(problems, (snapshot) => snapshot.problems, showProblems),
    createPart(advice, ({ status }) => status?.advice ?? null, showAdvice),
    createPart(running, ({ status }) => status?.running ?? null, showRunning),
    createPart(alarms, (snapshot) => snapshot.alarms, showAlarms),
  ];
  return {
    onSnapshot(snapshot) {
      const whole = assess(snapshot);
      updateMark(verdict, whole.state, whole.verdict);
      setText(readAt, `read at ${utc(snapshot.at)}`);
      pipeline.update(live.history, whole.stages);
      setText(calls, describeCalls(snapshot.calls, stack));
      for (const part of parts) part(snapshot);
    },
  };
}

function section(title, ...content) {
  const id = `section-${title.toLowerCase().replaceAll(" ", "-")}`;
  return element("section", { "aria-labelledby": id }, element("h2", { id }, title), content);
}

// Builds a part only when its document changed, so that a tick takes neither focus nor selection from it.
function createPart(place, choose, build) {
  let shown = null;
  return (snapshot) => {
    const document = choose(snapshot);
    const text = JSON.stringify(document);
    if (text === shown) return;
    shown = text;
    const isOpen = place.querySelector("details")?.open;
    place.replaceChildren();
    append(place, build(document));
    const details = place.querySelector("details");
    if (details && isOpen) details.open = true;
  };
}

function showProblems(problems) {
  return problems.length > 0 && element("div", {}, problemNotices(problems));
}

function describeCalls({ total, per_hour: perHour, dollars_per_hour: dollars }, { is_local: isLocal }) {
  return `This console called ${isLocal ? "the emulator" : "AWS"} ${count(total, "time")}, about ` +
    `${count(Math.round(perHour), "time")} an hour while it is open. ${isLocal ? "On AWS, that would cost" : "That costs"} ` +
    `${dollars.toFixed(dollars < 0.1 ? 4 : 2)} dollars an hour.`;
}

function remark(sentence) {
  return element("p", { class: "quiet" }, sentence);
}

const UNREAD = "Unknown while the state cannot be read.";

function showAdvice(sentences) {
  if (!sentences) return remark(UNREAD);
  if (!sentences.length) return remark("Nothing needs attention.");
  return element("ul", { class: "advice" }, sentences.map((sentence) => element("li", {}, withCode(sentence))));
}

// Commands stand between grave accents in the advice.
function withCode(sentence) {
  return sentence.split("`").map((part, position) => (position % 2 ? element("code", {}, part) : part));
}

function showRunning(running) {
  if (!running) return remark(UNREAD);
  const executions = Object.entries(running).flatMap(([workflow, names]) => names.map((name) => [workflow, name]));
  if (!executions.length) return remark("No workflow runs.");
  return element("ul", {}, executions.map(([workflow, name]) =>
    element("li", {}, stateMark("running", workflow), " ", element("a", { href: pathTo("executions", workflow, name) }, name))));
}

function showAlarms(alarms) {
  if (!alarms.length) return remark("The stack has no alarms.");
  const order = (alarm) => ORDER[assessAlarm(alarm)[0]];
  const sorted = [...alarms].sort((first, second) => order(first) - order(second) || first.name.localeCompare(second.name));
  const fired = sorted.filter(isAlarm);
  const others = sorted.filter((alarm) => !isAlarm(alarm));
  return element("div", {},
    fired.length ? table("Alarms that fired", ALARM_COLUMNS, fired) : remark("No alarm fired."),
    others.length > 0 && element("details", {},
      element("summary", {}, `${others.length} ${others.length === 1 ? "alarm is" : "alarms are"} quiet`),
      table("Quiet alarms", ALARM_COLUMNS, others)));
}

const ALARM_COLUMNS = [
  { title: "Alarm", cell: (alarm) => alarm.name },
  { title: "State", cell: (alarm) => stateMark(...assessAlarm(alarm)) },
  { title: "Reason", cell: (alarm) => alarm.reason || alarm.description },
  { title: "Since", cell: (alarm) => time(alarm.since) },
  { title: "Runbook", cell: (alarm) => showRunbook(alarm.runbook) },
];

// Only a web address becomes a link; anything else stays text.
function showRunbook(runbook) {
  if (!runbook) return "–";
  if (!/^https?:\/\//i.test(runbook)) return element("code", {}, runbook);
  return element("a", { href: runbook, rel: "noreferrer noopener", target: "_blank" }, "Runbook (new tab)");
}
