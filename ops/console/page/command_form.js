// The fields of a command's arguments.

import { element } from "./dom.js";

/** Builds the fields: `node`, `read()` for the values that are filled in, and `onChange(listener)`. */
export function createFields(command, values) {
  const fields = command.arguments.map((argument) => createField(argument, values));
  const node = element("div", { class: "fields" }, fields.map((field) => field.node));
  const read = () => Object.fromEntries(fields.map((field) => [field.name, field.read()]).filter(([, value]) => isFilled(value)));
  return { node, read, onChange: (listener) => node.addEventListener("input", listener) };
}

function isFilled(value) {
  return value !== "" && value !== false && !(Array.isArray(value) && !value.length);
}

function createField({ name, label: text, kind, choices, default: preset, help }, values) {
  const id = `argument-${name}`;
  const chosen = values.getAll(name);
  const described = help ? { "aria-describedby": `${id}-help` } : {};
  const common = { id, name, autocomplete: "off", spellcheck: "false", ...described };
  const start = chosen[0] ?? preset ?? "";
  let input;
  let read = () => input.value.trim();
  if (kind === "flag") {
    input = element("input", { ...common, type: "checkbox", checked: chosen[0] === "true" || preset === true });
    read = () => input.checked;
  } else if (kind === "choice") {
    input = element("select", common, element("option", { value: "" }, "(default)"),
      choices.map((choice) => element("option", { value: choice, selected: choice === start }, choice)));
  } else if (kind === "list") {
    input = element("textarea", { ...common, rows: 3, placeholder: "one a line" });
    input.value = (chosen.length ? chosen : preset ?? []).join("\n");
    read = () => input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  } else if (kind === "number") {
    input = element("input", { ...common, type: "number", value: start });
    read = () => (input.value === "" ? "" : Number(input.value));
  } else {
    input = element("input", { ...common, type: "text", value: start, placeholder: kind === "time" ? "2026-11-29T17:00:00Z" : null });
  }
  const label = element("label", { for: id }, text);
  const note = help && element("p", { class: "help", id: `${id}-help` }, help);
  const node = kind === "flag"
    ? element("div", { class: "field flag" }, input, label, note)
    : element("div", { class: "field" }, label, input, note);
  return { name, node, read };
}
