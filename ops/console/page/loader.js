// Shows what a view reads: loading, then the content, or the error with a button to try again.

import { append, element, notice, setText } from "./dom.js";

/** Fills its `place` with what `show(document)` returns for the document of `read(signal, say)`. A later call wins.
 *  `say(text)` tells how far the reading is. */
export class Loader {
  #abort = null;
  /** The element for what the view reads. */
  place = element("div", { class: "place" });

  async load(read, show, { isQuiet = false } = {}) {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    const loading = element("p", { class: "loading" }, "Loading…");
    if (!isQuiet) this.place.replaceChildren(loading);
    this.place.setAttribute("aria-busy", "true");
    try {
      const content = show(await read(abort.signal, (text) => setText(loading, text)));
      if (!abort.signal.aborted) this.place.replaceChildren(content);
    } catch (error) {
      if (abort.signal.aborted) return;
      const retry = element("button", { type: "button", onclick: () => this.load(read, show) }, "Try again");
      const box = notice("problem", error.message, error.hint ?? "");
      box.append(element("p", {}, retry));
      this.place.replaceChildren(box);
    } finally {
      if (!abort.signal.aborted) this.place.removeAttribute("aria-busy");
    }
  }

  /** Drops what is still being read. */
  stop() {
    this.#abort?.abort();
  }
}

/** Shows a view that reads once, and again when its button Refresh is pressed: `head`, the button and `links`, what it reads. */
export function showWithRefresh(main, head, links, read, show) {
  const loader = new Loader();
  const load = () => loader.load(read, show);
  const refresh = element("button", { type: "button", onclick: load }, "Refresh");
  append(main, head, element("p", { class: "actions" }, refresh, links), loader.place);
  load();
  return { stop: () => loader.stop() };
}
