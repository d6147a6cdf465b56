// Shows what a view reads: loading, then the content, or the error with a button to try again.

import { element, notice } from "./dom.js";

/** Fills `place` with what `show(document)` returns for the document of `read(signal)`. A later call wins. */
export class Loader {
  #place;
  #abort = null;

  constructor(place) {
    this.#place = place;
  }

  async load(read, show, { isQuiet = false } = {}) {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    if (!isQuiet) this.#place.replaceChildren(element("p", { class: "loading" }, "Loading…"));
    this.#place.setAttribute("aria-busy", "true");
    try {
      const content = show(await read(abort.signal));
      if (!abort.signal.aborted) this.#place.replaceChildren(content);
    } catch (error) {
      if (abort.signal.aborted) return;
      const retry = element("button", { type: "button", onclick: () => this.load(read, show) }, "Try again");
      const box = notice("problem", error.message, error.hint ?? "");
      box.append(element("p", {}, retry));
      this.#place.replaceChildren(box);
    } finally {
      if (!abort.signal.aborted) this.#place.removeAttribute("aria-busy");
    }
  }

  /** Drops what is still being read. */
  stop() {
    this.#abort?.abort();
  }
}
