// @ts-check
/** The address of the page: its path and its query are the state that can be bookmarked. */

import { useEffect, useState } from "./html.js";

/** @type {Set<() => void>} */
const listeners = new Set();
const changed = () => listeners.forEach((listener) => listener());

window.addEventListener("popstate", changed);

/** Go to a page of the console. @param {string} href @param {{replace?: boolean}} [how] */
export function navigate(href, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", href);
  if (!replace) window.scrollTo(0, 0);
  changed();
}

/** The current address. The component is rendered again when it changes. */
export function useAddress() {
  const [href, setHref] = useState(location.href);
  useEffect(() => {
    const listener = () => setHref(location.href);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  const url = new URL(href);
  return { path: url.pathname, query: Object.fromEntries(url.searchParams) };
}

/** Change values of the query; an empty value is removed. @param {Record<string, string>} values */
export function setQuery(values) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(values)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  navigate(url.pathname + url.search, { replace: true });
}

const PAGES = /^\/(inbox|search|runs|new|goals|dags|agents|costs|artifacts|compare|system|reference)?(\/[^/]+)?$/;

/** Whether a path is the one of a page. @param {string} path */
export const isPage = (path) => PAGES.test(path);

/** Follow links between pages without loading the document again. */
export function interceptLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link.target || link.download || link.origin !== location.origin || !isPage(link.pathname)) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}
