// The console's own server: JSON and streams of events, each request with the token of this start of the server.

const TOKEN_HEADER = "Sluice-Console-Token";
const STORED = "sluice-console-token";

/** An error of the server, with what to do in `hint`. */
export class ApiError extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

/** What to do when the server does not respond. */
export const START_AGAIN = "If `sluice console` has ended, start it again, and open the address that it prints.";

let token = takeToken();

// `sluice console` prints an address with the token in its fragment, which no browser sends anywhere. It leaves the
// address bar at once; the tab remembers it until it is closed, so that a reload works.
function takeToken() {
  const match = /^#token=(.+)$/.exec(location.hash);
  if (!match) return sessionStorage.getItem(STORED) ?? "";
  sessionStorage.setItem(STORED, decodeURIComponent(match[1]));
  history.replaceState(null, "", location.pathname);
  return sessionStorage.getItem(STORED);
}

/** Whether the address was one with a token, now taken over: another start of the server has another token. */
export function renewToken() {
  if (!location.hash.startsWith("#token=")) return false;
  token = takeToken();
  return true;
}

/** A path of the API: the parts become one path, encoded. */
export function apiPath(...parts) {
  return `/api/${parts.map(encodeURIComponent).join("/")}`;
}

/** Reads a JSON document. Raises ApiError. */
export async function getJson(path, query = {}, signal = undefined) {
  return readDocument(await send(addQuery(path, query), { signal }));
}

/** Starts a command; returns the id of its run. Raises ApiError. */
export async function startCommand(name, request) {
  const headers = { "Content-Type": "application/json" };
  return (await readDocument(await send(apiPath("commands", name), { method: "POST", headers, body: JSON.stringify(request) }))).run;
}

/** Reads a stream of events, each as {name, data}; also the pings that keep it open, without a name. Raises ApiError. */
export async function* readEvents(path, query = {}, signal = undefined) {
  const response = await send(addQuery(path, query), { signal, headers: { Accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (waiting + value).replaceAll("\r\n", "\n").split("\n\n");
      waiting = blocks.pop();
      for (const block of blocks) yield parseEvent(block);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseEvent(block) {
  const lines = block.split("\n");
  const read = (field) =>
    lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).replace(/^ /, ""));
  const [name = ""] = read("event");
  return { name, data: name ? JSON.parse(read("data").join("\n")) : null };
}

/** A path with a query; a value that is null or undefined is left out. */
export function addQuery(path, query) {
  const filled = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const search = new URLSearchParams(filled).toString();
  return search ? `${path}?${search}` : path;
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options, headers: { ...options.headers, [TOKEN_HEADER]: token } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The console's server does not respond.", START_AGAIN);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  if (response.status === 401) {
    const hint = "Open the address that `sluice console` printed last.";
    throw new ApiError("This address is not the one of the running console.", hint, 401);
  }
  throw new ApiError(problem?.message ?? `The server answered ${response.status}.`, problem?.hint ?? "", response.status);
}

async function readDocument(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server's answer is not complete.");
  }
}
