// The live state: a stream of snapshots, connected again with a growing pause, and whether it is connected.

import { readEvents } from "./server.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
// A bucket with millions of batches takes minutes to read.
const LONGEST_SILENCE_MS = 600_000;

/** How many snapshots the page remembers. */
export const MAX_HISTORY = 60;

export class LiveState {
  #pause = FIRST_PAUSE_MS;
  #state = "";
  #handlers;
  /** The latest snapshots, the last one the newest. */
  history = [];

  /** Listens until the page ends. Calls `onSnapshot(snapshot)` for each, and `onConnection(state, error)` with "connected"
   *  or "lost" when that changes. */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#listen();
  }

  async #listen() {
    for (;;) {
      const error = await this.#readStream();
      this.#setState("lost", error);
      await new Promise((resolve) => setTimeout(resolve, this.#pause));
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
    }
  }

  // Reads the stream until it ends; returns the error that ended it. One that is open and silent is lost too.
  async #readStream() {
    const abort = new AbortController();
    let silence = 0;
    const watch = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), LONGEST_SILENCE_MS);
    };
    watch();
    try {
      for await (const { name, data } of readEvents("/api/events", {}, abort.signal)) {
        watch();
        if (name === "snapshot") this.#receive(data);
      }
      return null;
    } catch (error) {
      return error;
    } finally {
      clearTimeout(silence);
    }
  }

  #receive(snapshot) {
    this.#pause = FIRST_PAUSE_MS;
    this.history = [...this.history, snapshot].slice(-MAX_HISTORY);
    this.#setState("connected", null);
    this.#handlers.onSnapshot(snapshot);
  }

  #setState(state, error) {
    if (state === this.#state) return;
    this.#state = state;
    this.#handlers.onConnection(state, error);
  }
}
