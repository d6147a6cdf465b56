// Builds elements. Text goes in as text nodes only: clients choose some of it, and no text may become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. A child is a node, a text, a number, or null for none. Attributes that start with "on" are listeners. */
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, built as `element` does. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) {
      if (typeof value !== "function") throw new TypeError(`${name} needs a function`);
      node.addEventListener(name.slice(2), value);
    } else node.setAttribute(name, value === true ? "" : String(value));
  }
  return append(node, ...children);
}

/** Appends children as `element` does; nothing for null, undefined and false. Returns the node. */
export function append(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Sets a text only when it differs, so that a screen reader and a selection are not disturbed by each tick. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const announcements = document.getElementById("announcements");

/** Says a change of state politely to a screen reader. */
export function announce(text) {
  setText(announcements, text);
}

/** A path inside the page: the parts become one fragment, encoded. */
export function pathTo(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** Links to commands for one thing, with their arguments filled in: [word, command] each. */
export function commandLinks(thing, commands, values) {
  const search = new URLSearchParams(values);
  return element("span", { class: "links" }, commands.map(([word, command]) =>
    element("a", { href: `${pathTo("commands", command)}?${search}`, "aria-label": `${word} ${thing}` }, `${word}…`)));
}

/** A pill that names a state. The icon before it comes from the style sheet, so no state is shown by colour only. */
export function stateMark(state, text) {
  return element("span", { class: "state", "data-state": state }, text);
}

/** Gives a pill another state and text. */
export function updateMark(mark, state, text) {
  mark.dataset.state = state;
  setText(mark, text);
}

/** What a view shows before, instead of, or without its rows. */
export function notice(state, title, detail = "") {
  return element("div", { class: "notice", "data-state": state, role: state === "problem" ? "alert" : null },
    element("p", {}, element("strong", {}, title)), detail && element("p", {}, detail));
}

/** The problems of a message, each as a notice. */
export function problemNotices(problems) {
  return problems.map(({ message, hint }) => notice("problem", message, hint));
}

/** The heading of a view, which gets the focus when the view changes, and a sentence below it. */
export function heading(title, sentence = "") {
  return [element("h1", { tabindex: "-1" }, title), sentence && element("p", { class: "lead" }, sentence)];
}
