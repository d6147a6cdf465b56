// Numbers with units, and times. Everything returns text, except `time`, which returns an element.

import { element } from "./dom.js";

const COUNTS = new Intl.NumberFormat("en");
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

export const UNKNOWN = "unknown";

export function number(value) {
  return isNumber(value) ? COUNTS.format(value) : UNKNOWN;
}

export function count(amount, singular, plural = `${singular}s`) {
  return isNumber(amount) ? `${number(amount)} ${amount === 1 ? singular : plural}` : UNKNOWN;
}

export function batches(amount) {
  return count(amount, "batch", "batches");
}

/** A rate per second, with as many digits as it deserves. */
export function rate(perSecond) {
  if (!isNumber(perSecond)) return UNKNOWN;
  if (perSecond >= 100) return number(Math.round(perSecond));
  return number(Number(perSecond.toFixed(perSecond >= 10 ? 1 : 2)));
}

export function size(bytes) {
  if (!isNumber(bytes)) return UNKNOWN;
  let amount = bytes;
  for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
    if (amount < 1024) return unit === "bytes" ? count(bytes, "byte") : `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} TiB`;
}

/** A duration in its two largest units: 45 s, 3 min 5 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds) {
  if (!isNumber(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.round(seconds));
  if (seconds >= 0.05 && seconds < 9.95 && !Number.isInteger(seconds)) return `${seconds.toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return join(Math.floor(whole / 60), "min", whole % 60, "s");
  if (whole < 86400) return join(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return join(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

function join(large, largeUnit, small, smallUnit) {
  return `${large} ${largeUnit}${small ? ` ${small} ${smallUnit}` : ""}`;
}

/** The seconds between two times; the second one may be null for now. */
export function secondsBetween(from, to) {
  return ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000;
}

/** A time in UTC as text: 2026-11-29 17:03:21 UTC. */
export function utc(moment) {
  const at = new Date(moment);
  return Number.isNaN(at.getTime()) ? String(moment) : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** The time of day in UTC: 17:03:21, or 17:03 without seconds. */
export function clock(moment, hasSeconds = true) {
  return new Date(moment).toISOString().slice(11, hasSeconds ? 19 : 16);
}

/** A time element in UTC, with the local time as its title; a dash for no time. */
export function time(moment) {
  if (!moment) return element("span", { class: "quiet" }, "–");
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return element("span", {}, String(moment));
  return element("time", { datetime: at.toISOString(), title: `${LOCAL.format(at)}, your time` }, utc(at));
}

/** A name in code as words: `is_reachable` becomes "is reachable". */
export function words(name) {
  return String(name).replaceAll("_", " ");
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
