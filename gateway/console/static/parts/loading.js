// @ts-check
/** Data of a page: loaded when its path changes, and again when asked. */

import { ASKS_CHANGED, get } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./html.js";

/** Pause before the next try when the gateway cannot answer at the moment. */
export const AWAY_MS = 5000;
/** Whether an error means that a later try may succeed: no answer, too many requests, or a part of the system is away. @param {any} error */
export const isAway = (error) => [0, 429, 503].includes(error?.status);

/**
 * Load `path` from the API. A path of null loads nothing. While a new answer is loading, the old one stays.
 * @param {string | null} path
 * @param {{everyMs?: number, version?: unknown}} [options] load again in this interval while the page is visible, and
 *   whenever `version` changes
 * @returns {{data: any, error: any, reload: () => Promise<void>, tookMs: number}} `tookMs` is how long the last answer took
 */
export function useLoaded(path, { everyMs, version } = {}) {
  const [state, setState] = useState({ path, data: /** @type {any} */ (null), error: /** @type {any} */ (null), tookMs: 0 });
  const newest = useRef(0);
  const reload = useCallback(async () => {
    if (path === null) return;
    const turn = ++newest.current;
    try {
      const since = performance.now();
      const data = await get(path);
      if (turn === newest.current) setState({ path, data, error: null, tookMs: performance.now() - since });
    } catch (error) {
      if (turn === newest.current) setState((old) => ({ ...old, path, data: old.path === path ? old.data : null, error }));
    }
  }, [path]);
  useEffect(() => {
    void reload();
    return () => void newest.current++;
  }, [reload, version]);
  useEffect(() => {
    if (!everyMs) return;
    const timer = setInterval(() => document.hidden || void reload(), everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs]);
  const away = isAway(state.error);
  useEffect(() => {
    if (!away) return;
    const timer = setTimeout(reload, AWAY_MS);
    return () => clearTimeout(timer);
  }, [reload, away, state]);
  const current = state.path === path;
  return { data: current ? state.data : null, error: current ? state.error : null, reload, tookMs: state.tookMs };
}

/** The number of open questions to a person, as a number and as text. Null while it is loading. */
export function useOpenAsks() {
  const { data, reload } = useLoaded("/api/v1/asks?status=open&limit=100", { everyMs: 10_000 });
  useEffect(() => {
    window.addEventListener(ASKS_CHANGED, reload);
    return () => window.removeEventListener(ASKS_CHANGED, reload);
  }, [reload]);
  return data && { count: data.asks.length, text: `${data.asks.length}${data.nextCursor ? "+" : ""}` };
}

/** A function that calls `work` soon, and at most once in `ms` milliseconds. @param {() => void} work */
export function useThrottled(work, ms = 200) {
  const latest = useRef(work);
  latest.current = work;
  const timer = useRef(0);
  const last = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    if (timer.current) return;
    const wait = Math.max(0, last.current + ms - Date.now());
    timer.current = setTimeout(() => {
      timer.current = 0;
      last.current = Date.now();
      latest.current();
    }, wait);
  }, [ms]);
}
