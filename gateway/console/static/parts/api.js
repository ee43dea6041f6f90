// @ts-check
/** Requests to the public API. */

const KEY = "async-agent-key";
/** Event of the window: an answer was 401. */
export const KEY_WANTED = "key-wanted";

/** Event of the window: a question was answered here. */
export const ASKS_CHANGED = "asks-changed";
export const changedAsks = () => window.dispatchEvent(new Event(ASKS_CHANGED));

/** An answer that is not a success. `message` is the API's own text. */
export class ApiError extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(problemOf(status, body));
    this.status = status;
    this.body = body;
  }
}

/** What to do about an answer. @type {Record<number, string>} */
const HINTS = {
  401: "Enter a key.",
  429: "The page tries again by itself in a few seconds.",
  403: "Forget the key at the top of the page, and enter one that has the scope.",
};

/** @param {number} status @param {any} body */
function problemOf(status, body) {
  const issues = (body?.validation_errors ?? []).map((/** @type {any} */ one) => `${one.path.join(".")}: ${one.message}`);
  const text = body?.message ?? body?.error ?? `The gateway answered ${status}`;
  return [text, ...issues, HINTS[status] ?? ""].filter(Boolean).join("\n");
}

/** The API key of this browser tab, or null. */
export const key = () => sessionStorage.getItem(KEY);
/** Keep a key until the tab is closed, or forget it. @param {string | null} text */
export const setKey = (text) => (text === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, text));

/** Headers that every request sends. @returns {Record<string, string>} */
export function headers() {
  const held = key();
  return held ? { Authorization: `Bearer ${held}` } : {};
}

/**
 * Send one request. Returns the JSON of the answer, or null if it has none.
 * @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [more]
 * @returns {Promise<any>}
 */
export const call = async (method, path, body, more) => (await send(method, path, body, more)).answer;

/** The answer, after telling the page if the API wants a key. @param {Response} response */
export function noted(response) {
  if (response.status === 401) window.dispatchEvent(new Event(KEY_WANTED));
  return response;
}

const AWAY = "The page tries again every few seconds. If this stays, check that the gateway runs and that you are online.";
const AWAY_DURING_CHANGE = "Check that it runs and that you are online. Before you try again, look whether it has done what you asked for.";

/** @param {string} method @param {string} path @param {RequestInit} init */
async function answered(method, path, init) {
  try {
    const response = await fetch(path, { ...init, method });
    return noted(response);
  } catch {
    throw new ApiError(0, { error: `The gateway does not answer. ${method === "GET" ? AWAY : AWAY_DURING_CHANGE}` });
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [more] */
async function send(method, path, body, more = {}) {
  const init = { headers: { ...headers(), ...more } };
  if (body !== undefined) {
    Object.assign(init, { body: JSON.stringify(body) });
    init.headers["Content-Type"] = "application/json";
  }
  const response = await answered(method, path, init);
  const text = await response.text();
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const answer = isJson && text ? JSON.parse(text) : text || null;
  if (!response.ok) throw new ApiError(response.status, isJson ? answer : null);
  return { answer, link: response.headers.get("Link") };
}

/**
 * Get a page of a list. `next` is the cursor of the next page, or null on the last page.
 * @param {string} path @param {string} name of the rows in an answer that is not an array itself
 * @returns {Promise<{rows: any[], next: string | null}>}
 */
export async function getPage(path, name) {
  const { answer, link } = await send("GET", path);
  if (!Array.isArray(answer)) return { rows: answer[name], next: answer.pagination?.nextCursor ?? answer.nextCursor ?? null };
  const target = /<([^>]+)>; rel="next"/.exec(link ?? "")?.[1];
  return { rows: answer, next: target ? new URL(target, location.origin).searchParams.get("cursor") : null };
}

/** Save a file of the API under a name. A plain link could not send the key. @param {string} path @param {string} name */
export async function download(path, name) {
  const response = await answered("GET", path, { headers: headers() });
  if (!response.ok) throw new ApiError(response.status, null);
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await response.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @param {string} path */
export const get = (path) => call("GET", path);

/** @param {string} path @param {unknown} [body] */
export const post = (path, body = {}) => call("POST", path, body, { "Idempotency-Key": crypto.randomUUID() });

/** Build a query string from the values that are set. @param {Record<string, unknown>} values */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
