// The live picture of the pipeline: five stages from left to right, and what flows between them.
// It is a list of cards, so its text is the text equivalent; the drawings between and below are decoration.

import { element, setText, stateMark, svg, updateMark } from "./dom.js";
import { batches, count, duration, number, rate, size, UNKNOWN } from "./format.js";
import { MAX_HISTORY } from "./live.js";
import { assessReplica } from "./state.js";

const SPARK_WIDTH = 120;
const SPARK_HEIGHT = 28;

// Of each stage: its name, the headline with its unit, the value of its curve, and further figures: name, text, state.
const STAGES = [
  {
    id: "requests", title: "Requests", unit: "requests per second",
    headline: ({ rates }) => rate(rates.requests), value: ({ rates }) => rates.requests,
    figures: ({ rates }) => [["reads", perSecond(rates.reads)], ["errors", perSecond(rates.errors)]],
  },
  {
    id: "stream", title: "Stream", unit: "writes accepted per second",
    headline: ({ rates }) => rate(rates.writes_accepted), value: ({ rates }) => rates.writes_accepted,
    figures: ({ status }) => [
      ["undelivered", count(status?.undelivered, "object")], ["dead letters", count(status?.dead_letters, "event")],
    ],
  },
  {
    id: "batches", title: "Batches", unit: "batches waiting",
    headline: ({ waiting }) => number(waiting?.batches), value: ({ waiting }) => waiting?.batches,
    figures: ({ waiting, status }) => [
      ["size", size(waiting?.bytes)],
      ["oldest", waiting?.batches ? `${duration(waiting.oldest_seconds)} ago` : waiting?.batches === 0 ? "none" : UNKNOWN],
      ["loading", batches(status?.loading)], ["parked", parked(status)], ["quarantined", batches(status?.quarantined)],
    ],
  },
  {
    id: "ledger", title: "Ledger", unit: "writes applied per second",
    headline: ({ rates }) => rate(rates.writes_applied), value: ({ rates }) => rates.writes_applied,
    figures: ({ status }) => [["loaded", batches(status?.loaded)], ["rejected", count(status?.rejected_writes, "write")]],
  },
  {
    id: "replicas", title: "Replicas", unit: "behind the primary",
    headline: (snapshot) => duration(lagOf(snapshot)), value: lagOf,
    figures: ({ rates, status }) => [["reads", perSecond(rates.reads)], ...listReplicas(status)],
  },
];

function perSecond(value) {
  return value === null || value === undefined ? UNKNOWN : `${rate(value)} per second`;
}

// The lag of the slowest replica. Where there is none, reads show what the primary has.
function lagOf({ lag_seconds: lag, status }) {
  return status?.replicas.length === 0 && status.primary.is_reachable ? 0 : lag;
}

function listReplicas(status) {
  if (!status) return [];
  if (!status.replicas.length) return [["replicas", "none"]];
  return status.replicas.map((replica) => {
    const [state, word] = assessReplica(replica, status.primary);
    return [replica.name, word, state];
  });
}

function parked(status) {
  return status?.parked && !status.parked_exact ? `about ${batches(status.parked)}` : batches(status?.parked);
}

/** The picture: `node` is its element; `update(history, stages)` changes its texts in place, to the latest snapshot. */
export function createPipeline() {
  const cards = STAGES.map((stage) => createCard(stage));
  const node = element("ol", { class: "pipeline", "aria-label": "The pipeline, from requests to replicas" },
    cards.map((card) => card.node));
  return { node, update: (history, stages) => update(cards, history, stages) };
}

function createCard(stage) {
  const card = {
    stage,
    headline: element("strong", { class: "figure" }, "…"),
    mark: stateMark("unknown", "loading"),
    figures: element("dl", { class: "figures" }),
    line: svg("path"),
  };
  const box = { viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none" };
  const spark = svg("svg", { class: "spark", "aria-hidden": "true", ...box }, card.line);
  const title = `stage-${stage.id}`;
  card.node = element("li", { "data-stage": stage.id },
    element("article", { class: "card", "aria-labelledby": title },
      element("h3", { id: title }, stage.title), card.mark,
      element("p", { class: "headline" }, card.headline, " ", element("span", { class: "unit" }, stage.unit)),
      spark, card.figures),
    element("span", { class: "connector", "aria-hidden": "true" },
      element("span", { class: "pipe" }, element("span", { class: "water" })), element("span", { class: "stop" }, "✕")));
  return card;
}

function update(cards, history, stages) {
  const snapshot = history.at(-1);
  for (const card of cards) {
    const { stage } = card;
    const [state, word] = stages[stage.id];
    updateMark(card.mark, state, word);
    card.node.dataset.state = state;
    const headline = stage.headline(snapshot);
    setText(card.headline, headline);
    card.node.classList.toggle("no-value", headline === UNKNOWN);
    updateFigures(card.figures, stage.figures(snapshot));
    card.line.setAttribute("d", drawCurve(history.map((past) => stage.value(past) ?? null)));
  }
  cards.forEach((card, position) => {
    const next = cards[position + 1];
    if (next) updateFlow(card, next, snapshot, stages);
  });
}

// What flows between two stages: as fast as its rate, or nothing, or stopped in front of a database that is unavailable.
function updateFlow(card, next, { rates }, stages) {
  const isAccepted = next.stage.id === "stream" || next.stage.id === "batches";
  const speed = (isAccepted ? rates.writes_accepted : rates.writes_applied) ?? 0;
  const isStopped = (next.stage.id === "ledger" && stages.ledger[0] === "problem") ||
    (next.stage.id === "replicas" && (stages.ledger[0] === "problem" || stages.replicas[0] === "problem"));
  card.node.dataset.flow = isStopped ? "stopped" : speed <= 0 ? "none" : speed < 10 ? "slow" : speed < 500 ? "medium" : "fast";
}

function updateFigures(list, figures) {
  if (list.children.length !== figures.length) {
    list.replaceChildren(...figures.map(() => element("div", {}, element("dt"), element("dd"))));
  }
  figures.forEach(([name, text, state], position) => {
    const [term, value] = list.children[position].children;
    setText(term, name);
    setText(value, text);
    if (state) value.dataset.state = state;
    else delete value.dataset.state;
  });
}

// The curve of the latest values, the newest at the right edge; it has a gap where a value is unknown.
function drawCurve(points) {
  const top = Math.max(...points, 1e-9);
  const step = SPARK_WIDTH / (MAX_HISTORY - 1);
  const start = SPARK_WIDTH - step * (points.length - 1);
  const parts = points.map((value, position) => {
    if (value === null) return "";
    const x = (start + position * step).toFixed(1);
    const y = (SPARK_HEIGHT - 2 - (value / top) * (SPARK_HEIGHT - 4)).toFixed(1);
    return `${typeof points[position - 1] === "number" ? "L" : "M"}${x} ${y}`;
  });
  return parts.join("");
}
