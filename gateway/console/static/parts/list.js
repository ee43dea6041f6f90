// @ts-check
/** Lists of any length: loaded page by page, live, and only drawn where they are visible. */

import { getPage } from "./api.js";
import { Empty, Problem, Loading } from "./components.js";
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { continued, refreshed } from "./pages.js";

/** @typedef {import("./pages.js").Page} Page */
/** @typedef {{pages: Page[] | null, error: any, reload: () => Promise<void>, more: (() => Promise<void>) | null, visible: Set<number>}} List */

const SPARE = "1200px 0px";
/** Called with each change of the visibility of a page. @type {WeakMap<Element, (entry: IntersectionObserverEntry) => void>} */
const watched = new WeakMap();
const observer = new IntersectionObserver((entries) => entries.forEach((entry) => watched.get(entry.target)?.(entry)), { rootMargin: SPARE });

/**
 * Load a list. `path` has no cursor. While another query of the same list is loading, the old rows stay.
 * @param {string} path @param {string} name of the rows in the answer
 * @returns {List}
 */
export function useList(path, name) {
  const [state, setState] = useState({ path: "", pages: /** @type {Page[] | null} */ (null), error: /** @type {any} */ (null) });
  const now = useRef(state);
  now.current = state;
  const visible = useRef(new Set([0]));
  const turn = useRef(0);
  const busy = useRef(/** @type {string | null} */ (null));
  const load = useCallback(
    async (/** @type {() => Promise<Page[]>} */ pagesFrom) => {
      const mine = ++turn.current;
      try {
        const pages = await pagesFrom();
        if (mine === turn.current) setState({ path, pages, error: null });
      } catch (error) {
        if (mine === turn.current) setState((old) => ({ ...old, pages: old.path === path ? old.pages : null, path, error }));
      }
    },
    [path],
  );
  const get = (/** @type {string} */ cursor) => pageFrom(path, name, cursor);
  const reload = useCallback(async () => {
    if (busy.current === path) return;
    const { path: shown, pages } = now.current;
    await load(async () => {
      if (shown !== path || !pages) return [await get("")];
      const wanted = pages.map((page, index) => (index === 0 || visible.current.has(index) ? get(page.cursor) : null));
      return refreshed(pages, await Promise.all(wanted));
    });
  }, [load, name]);
  useEffect(() => void reload(), [reload]);
  const next = state.path === path ? state.pages?.at(-1)?.next : null;
  const more = async () => {
    if (!next || busy.current === path) return;
    busy.current = path;
    await load(async () => continued(now.current.pages ?? [], await get(next)));
    busy.current = null;
  };
  const isSameList = state.path.split("?")[0] === path.split("?")[0];
  return { pages: isSameList ? state.pages : null, error: state.path === path ? state.error : null, reload, more: next ? more : null, visible: visible.current };
}

/** @param {string} path @param {string} name @param {string} cursor @returns {Promise<Page>} */
async function pageFrom(path, name, cursor) {
  const { rows, next } = await getPage(`${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`, name);
  return { cursor, rows, next };
}

/**
 * A table of a list. `row` makes the row of an item. `children` is shown when the list is empty.
 * @param {{of: List, heads: any, row: (item: any) => any, empty: string, children?: any}} props
 */
export function ListTable({ of, heads, row, empty, children }) {
  const problem = html`<${Problem} error=${of.error} retry=${of.reload} />`;
  if (!of.pages) return of.error ? problem : html`<${Loading} />`;
  if (!of.pages[0].rows.length) return html`${problem}<${Empty} title=${empty}>${children}<//>`;
  return html`${problem}<table class="list">
      <thead><tr>${heads}</tr></thead>
      ${of.pages.map((page, index) => html`<${Rows} key=${page.cursor} page=${page} row=${row} index=${index} visible=${of.visible} />`)}
    </table>
    ${of.more && html`<${More} more=${of.more} key=${of.pages.length} />`}`;
}

/** The rows of one page, or room for them while they are far from the window. @param {{page: Page, row: (item: any) => any, index: number, visible: Set<number>}} props */
function Rows({ page, row, index, visible }) {
  const ref = useRef(/** @type {any} */ (null));
  const height = useRef(0);
  const [shown, setShown] = useState(true);
  useEffect(() => {
    const body = ref.current;
    watched.set(body, ({ isIntersecting, boundingClientRect }) => {
      if (!isIntersecting) height.current = boundingClientRect.height;
      visible[isIntersecting ? "add" : "delete"](index);
      setShown(isIntersecting);
    });
    observer.observe(body);
    return () => {
      observer.unobserve(body);
      visible.delete(index);
    };
  }, [index]);
  return html`<tbody ref=${ref}>${shown ? page.rows.map(row) : html`<tr class="room" aria-hidden="true" style=${{ height: `${height.current}px` }}><td></td></tr>`}</tbody>`;
}

/** A button for the next page, which presses itself when it comes near. @param {{more: () => Promise<void>}} props */
function More({ more }) {
  const ref = useRef(/** @type {any} */ (null));
  useEffect(() => {
    const button = ref.current;
    watched.set(button, ({ isIntersecting }) => isIntersecting && void more());
    observer.observe(button);
    return () => observer.unobserve(button);
  }, []);
  return html`<button ref=${ref} class="more" onClick=${more}>Show more</button>`;
}
