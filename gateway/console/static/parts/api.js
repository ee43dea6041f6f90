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

/** @param {number} status @param {any} body */
function problemOf(status, body) {
  const issues = (body?.validation_errors ?? []).map((/** @type {any} */ one) => `${one.path}: ${one.message}`);
  const text = body?.message ?? body?.error ?? `The gateway answered ${status}`;
  return [text, ...issues].join("\n");
}

/** The API key of this browser tab, or null. */
export const key = () => sessionStorage.getItem(KEY);
/** @param {string} text */
export const setKey = (text) => sessionStorage.setItem(KEY, text);

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

/** @param {string} method @param {string} path @param {unknown} [body] @param {Record<string, string>} [more] */
async function send(method, path, body, more = {}) {
  const init = { method, headers: { ...headers(), ...more } };
  if (body !== undefined) {
    Object.assign(init, { body: JSON.stringify(body) });
    init.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new ApiError(0, { error: "The gateway does not answer. Is it running?" });
  }
  const text = await response.text();
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const answer = isJson && text ? JSON.parse(text) : text || null;
  if (response.status === 401) window.dispatchEvent(new Event(KEY_WANTED));
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

/** @param {string} path */
export const get = (path) => call("GET", path);

/** @param {string} path @param {unknown} [body] */
export const post = (path, body = {}) => call("POST", path, body, { "Idempotency-Key": crypto.randomUUID() });

/** Build a query string from the values that are set. @param {Record<string, unknown>} values */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
