// Judges a snapshot: the state of each stage of the pipeline, and of the whole.
// States: ok, attention, problem, unknown. The words come with the state, so that none is shown by colour only.

import { batches, count, duration, words } from "./format.js";

// Replication that lags by more than this is worth a look.
const ATTENTION_LAG_SECONDS = 60;

const STAGES = ["requests", "stream", "batches", "ledger", "replicas"];
const UNKNOWN_STAGES = Object.fromEntries(STAGES.map((id) => [id, ["unknown", "unknown"]]));

/** Judges a snapshot. Returns `stages` (state and words of each), and `state` and `verdict`, a sentence, of the whole. */
export function assess({ status, waiting, rates, alarms }) {
  if (!status) return { stages: UNKNOWN_STAGES, verdict: "The state of the stack cannot be read", state: "problem" };
  const stages = {
    requests: rates.errors > 0 ? ["attention", "some requests fail"] : ["ok", "accepts requests"],
    stream: assessStream(status),
    batches: assessBatches(status, waiting),
    ledger: assessPrimary(status),
    replicas: assessReplicas(status),
  };
  const fired = alarms.filter(isAlarm);
  const isProblem = Object.values(stages).some(([state]) => state === "problem");
  const advice = status.advice.length;
  let verdict = "All is well";
  if (isProblem || fired.length || advice) {
    const parts = [fired.length && count(fired.length, "alarm"), advice && count(advice, "piece of advice", "pieces of advice")];
    verdict = `Needs attention: ${parts.filter(Boolean).join(", ") || "see the pipeline"}`;
  }
  return { stages, verdict, state: isProblem || fired.length ? "problem" : advice ? "attention" : "ok" };
}

export function isAlarm(alarm) {
  return alarm.state === "ALARM";
}

/** The state of an alarm as a pill has it: state and word. */
export function assessAlarm(alarm) {
  if (isAlarm(alarm)) return ["problem", "alarm"];
  return alarm.state === "OK" ? ["ok", "OK"] : ["unknown", "no data"];
}

function assessStream({ undelivered }) {
  return undelivered ? ["attention", `${count(undelivered, "object")} undelivered`] : ["ok", "delivers"];
}

function assessBatches({ parked, quarantined, primary }, waiting) {
  if (parked) return ["problem", `${batches(parked)} parked`];
  if (quarantined) return ["attention", `${quarantined} quarantined`];
  if (!waiting) return primary.accepts_writes ? ["unknown", "unknown"] : ["attention", "wait for the primary"];
  return waiting.batches ? ["ok", "loading"] : ["ok", "nothing waits"];
}

function assessPrimary({ primary, rejected_writes: rejected }) {
  if (!primary.is_reachable) return ["problem", "primary does not respond"];
  if (!primary.accepts_writes) return ["problem", "primary accepts no writes"];
  return rejected ? ["attention", `${count(rejected, "write")} rejected`] : ["ok", "accepts writes"];
}

function assessReplicas({ replicas, primary, lag_seconds: lag }) {
  if (!replicas.length) return primary.is_reachable ? ["ok", "primary serves reads"] : ["problem", "no reads"];
  const assessed = replicas.map((replica) => assessReplica(replica, primary));
  if (assessed.length === 1) return assessed[0];
  const healthy = assessed.filter(([state]) => state === "ok").length;
  if (healthy === assessed.length) return ["ok", "all replicate"];
  if (healthy) return ["attention", `${healthy} of ${assessed.length} replicate`];
  if (!replicas.some((replica) => replica.is_reachable)) return ["problem", "none responds"];
  if (!primary.is_reachable) return ["attention", "serve reads, get no changes"];
  return lag === null ? ["problem", "none replicates"] : ["attention", `up to ${duration(lag)} behind`];
}

/** The state of one replica: state and word. */
export function assessReplica({ is_reachable: isReachable, replicates, seconds }, primary) {
  if (!isReachable) return ["problem", "does not respond"];
  if (!primary.is_reachable) return ["attention", "serves reads, gets no changes"];
  if (!replicates) return ["problem", "does not replicate"];
  return [seconds > ATTENTION_LAG_SECONDS ? "attention" : "ok", `${duration(seconds)} behind`];
}

const WORDS = {
  loaded: "ok", applied: "ok", succeeded: "ok",
  pending: "running", running: "running",
  superseded: "past", aborted: "past",
  parked: "problem", failed: "problem", timed_out: "problem", rejected: "problem",
  quarantined: "attention",
};

/** State and word of a batch, a write or an execution, for its pill. */
export function assessWord(word) {
  const name = word.toLowerCase();
  return [WORDS[name] ?? "unknown", words(name)];
}
