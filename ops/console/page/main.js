// Starts the page: reads the stack, listens to the live state, and shows the view that the address names.

import { getJson, renewToken, START_AGAIN } from "./server.js";
import { announce, append, element, heading, notice, setText, updateMark } from "./dom.js";
import { LiveState } from "./live.js";
import { assess } from "./state.js";
import * as batches from "./views/batches.js";
import * as commands from "./views/commands.js";
import * as executions from "./views/executions.js";
import * as item from "./views/item.js";
import * as overview from "./views/overview.js";
import * as quarantine from "./views/quarantine.js";
import * as rejectedWrites from "./views/rejected_writes.js";
import * as timeline from "./views/timeline.js";

const VIEWS = {
  overview, timeline, batches, "rejected-writes": rejectedWrites, quarantine, executions, item, commands,
};

const main = document.getElementById("main");
const navigation = document.getElementById("views");
const menu = document.getElementById("menu");
const context = { stack: null, live: null };
let shown = null;
let lastVerdict = "";

/** Splits the address: `#/batches/KEY?state=parked` has a view, path parts and a query. */
function readAddress() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...parts] = path.split("/").map(decode);
  return { name: name || "overview", parts, query: new URLSearchParams(search) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function showView(isFirst = false) {
  if (location.hash === "#main") {
    main.focus();
    return;
  }
  const { name, parts, query } = readAddress();
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : null;
  shown?.stop?.();
  shown = null;
  main.replaceChildren();
  for (const link of navigation.querySelectorAll("a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  openMenu(false);
  if (view) shown = view.show(main, { ...context, parts, query }) ?? null;
  else append(main, heading("No such view"), element("p", {}, "Choose a view from the menu."));
  document.title = `${main.querySelector("h1").textContent} · ${context.stack.name} · Sluice console`;
  const latest = context.live.history.at(-1);
  if (latest) shown?.onSnapshot?.(latest);
  if (!isFirst) {
    scrollTo(0, 0);
    main.querySelector("h1").focus({ preventScroll: true });
  }
}

function openMenu(isOpen) {
  menu.setAttribute("aria-expanded", String(isOpen));
  navigation.classList.toggle("open", isOpen);
}

function showConnection(state, error) {
  const isLost = state === "lost";
  const pill = document.getElementById("connection");
  const box = document.getElementById("lost");
  updateMark(pill, isLost ? "problem" : "ok", isLost ? "Connection lost" : "Live");
  box.hidden = !isLost;
  const hint = error?.status ? `${error.message} ${error.hint}` : START_AGAIN;
  setText(box, `Connection lost. What you see is old; the page keeps trying to connect. ${hint}`);
  document.documentElement.classList.toggle("stale", isLost);
  announce(isLost ? "Connection lost. What you see is old." : "Connected.");
}

function showSnapshot(snapshot) {
  const { verdict } = assess(snapshot);
  if (lastVerdict && verdict !== lastVerdict) announce(verdict);
  lastVerdict = verdict;
  shown?.onSnapshot?.(snapshot);
}

async function start() {
  main.replaceChildren(...heading("Sluice console"), element("p", { class: "loading" }, "Loading…"));
  try {
    context.stack = await getJson("/api/stack");
  } catch (error) {
    const retry = element("button", { type: "button", onclick: start }, "Try again");
    main.replaceChildren(...heading("Sluice console"), notice("problem", error.message, error.hint), retry);
    return;
  }
  setText(document.getElementById("stack-name"), context.stack.name);
  setText(document.getElementById("stack-place"), context.stack.is_local ? "on this machine" : context.stack.region);
  navigation.replaceChildren(element("ul", {}, Object.entries(VIEWS).map(([name, view]) =>
    element("li", {}, element("a", { href: `#/${name}`, "data-view": name }, view.TITLE)))));
  context.live = new LiveState({ onSnapshot: showSnapshot, onConnection: showConnection });
  showView(true);
}

addEventListener("hashchange", () => {
  if (renewToken()) location.reload();
  else if (context.stack) showView();
});
menu.addEventListener("click", () => openMenu(menu.getAttribute("aria-expanded") !== "true"));
document.querySelector(".skip-link").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
start();
