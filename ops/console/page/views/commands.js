// Commands: arguments, then a dry run, then the stack's name before anything destructive, then the run.

import { runCommand } from "../command_run.js";
import { createFields } from "../command_form.js";
import { append, element, heading, notice, pathTo, setText } from "../dom.js";

export const TITLE = "Commands";

export function show(main, { stack, parts: [name], query }) {
  const command = stack.commands.find((candidate) => candidate.name === name);
  if (!name) return showList(main, stack);
  if (!command) {
    append(main, heading(TITLE), notice("attention", "There is no such command."), linkToAll());
    return null;
  }
  return showCommand(main, stack, command, query);
}

function linkToAll() {
  return element("p", {}, element("a", { href: pathTo("commands") }, "All commands"));
}

function showList(main, { commands }) {
  const lead = "Each runs as `sluice` does, with your own credentials. A command with a dry run shows first what it would do.";
  append(main, heading(TITLE, lead),
    element("ul", { class: "commands" }, commands.map((command) => element("li", {},
      element("a", { href: pathTo("commands", command.name) }, command.name),
      command.is_destructive && element("span", { class: "tag" }, "destructive"),
      element("p", {}, sentence(command.summary))))));
  return null;
}

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}` : "";
}

function showCommand(main, stack, command, query) {
  const fields = createFields(command, query);
  const output = element("section", { "aria-label": "Output", class: "run" });
  const dryRun = element("button", { type: "button", class: "primary" }, "Dry run");
  const run = element("button", { type: "submit", class: command.is_destructive ? "danger" : "primary" }, "Run");
  const hint = element("p", { class: "help", id: "run-hint", role: "status" });
  const confirmation = element("input", {
    id: "confirmation", autocomplete: "off", spellcheck: "false", autocapitalize: "none", "aria-describedby": hint.id,
  });
  // The arguments of the last dry run that ended well, as text; any change of a field makes them differ.
  let triedArguments = null;
  let isRunning = false;

  const describeArguments = () => JSON.stringify(fields.read());
  const update = () => {
    const isTried = !command.has_dry_run || triedArguments === describeArguments();
    const isConfirmed = !command.is_destructive || confirmation.value === stack.name;
    dryRun.disabled = isRunning;
    run.disabled = isRunning || !isTried || !isConfirmed;
    confirmation.disabled = isRunning || !isTried;
    setText(hint, explain(isTried, isConfirmed));
  };
  const explain = (isTried, isConfirmed) => {
    if (isRunning) return "The command runs. Its output is below.";
    if (!isTried && triedArguments !== null) return "The arguments changed. Dry run again.";
    if (!isTried) return "Dry run first: it changes nothing and shows what the command would do.";
    return isConfirmed ? "Ready to run." : `To confirm, type the stack's name: ${stack.name}`;
  };
  const start = async (isDryRun) => {
    const values = fields.read();
    isRunning = true;
    update();
    const request = { arguments: values, dry_run: isDryRun, confirmation: isDryRun ? "" : confirmation.value };
    const code = await runCommand(output, command.name, request);
    isRunning = false;
    triedArguments = isDryRun && code === 0 ? JSON.stringify(values) : null;
    confirmation.value = "";
    update();
  };
  dryRun.addEventListener("click", () => start(true));
  fields.onChange(update);
  // Enter in an argument never runs the command.
  fields.node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName === "TEXTAREA") return;
    event.preventDefault();
    if (command.has_dry_run && !isRunning) start(true);
  });
  confirmation.addEventListener("input", update);
  const form = element("form", { onsubmit: (event) => {
    event.preventDefault();
    if (!run.disabled) start(false);
  } },
    command.arguments.length > 0 && fields.node,
    command.has_dry_run && element("p", { class: "actions" }, dryRun),
    command.is_destructive && element("div", { class: "field confirmation" },
      element("label", { for: confirmation.id }, "Name of the stack, to confirm"), confirmation),
    element("p", { class: "actions" }, run), hint);
  append(main,
    heading(command.name, sentence(command.summary)),
    linkToAll(),
    command.is_destructive && notice("attention", "This command is destructive.", "It needs the stack's name before it runs."),
    form, output);
  update();
  return null;
}
