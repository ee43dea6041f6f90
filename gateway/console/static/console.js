// @ts-check
/** The frame of every page: navigation, theme, key, and the page of the current address. */

import { KEY_WANTED, key, setKey } from "./parts/api.js";
import { Loading, Problem } from "./parts/components.js";
import { keepFocus } from "./parts/focus.js";
import { useHealth } from "./parts/health.js";
import { html, render, useEffect, useRef, useState } from "./parts/html.js";
import { useOpenAsks } from "./parts/loading.js";
import { interceptLinks, isPage, navigate, useAddress } from "./parts/router.js";

const PAGES = {
  "": { title: "Home", load: () => import("./pages/home.js") },
  inbox: { title: "Inbox", load: () => import("./pages/inbox.js"), one: () => import("./pages/ask.js") },
  search: { title: "Search", load: () => import("./pages/search.js") },
  runs: { title: "Runs", load: () => import("./pages/runs.js"), one: () => import("./pages/run.js") },
  new: { title: "New", load: () => import("./pages/new.js") },
  goals: { title: "Goals", load: () => import("./pages/goals.js"), one: () => import("./pages/goal.js") },
  dags: { title: "Plans", load: () => import("./pages/dags.js"), one: () => import("./pages/dag.js") },
  agents: { title: "Agents", load: () => import("./pages/agents.js"), one: () => import("./pages/agent.js") },
  costs: { title: "Costs", load: () => import("./pages/costs.js") },
  artifacts: { title: "Files", load: () => import("./pages/artifacts.js") },
  compare: { title: "Compare", load: () => import("./pages/compare.js") },
  system: { title: "System", load: () => import("./pages/system.js") },
  reference: { title: "API", load: () => import("./pages/reference.js") },
};
const LETTERS = { h: "/", i: "/inbox", r: "/runs", n: "/new", g: "/goals", d: "/dags", a: "/agents", c: "/costs", f: "/artifacts", s: "/system" };

function App() {
  const { path, query } = useAddress();
  const [, name = "", id] = path.split("/");
  const page = PAGES[/** @type {keyof typeof PAGES} */ (isPage(path) ? name : "nowhere")];
  const wanted = useKeyWanted();
  const View = useView(page && (id && "one" in page ? page.one : page.load));
  useEffect(() => {
    document.title = `${page?.title ?? "Not found"} – Async Agent`;
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [page]);
  useFocusOnPage(`${name}/${id ?? ""}`);
  useShortcuts();
  return html`
    <a class="skip" href="#main">Skip to the page</a>
    <header>
      <a class="brand" href="/"><img src="/console/icon.svg" alt="" width="22" height="22" />Async Agent</a>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(
          ([one, { title }]) => html`<a href=${`/${one}`} aria-current=${one === name ? "page" : null}>${title}${one === "inbox" && html`<${OpenCount} />`}</a>`,
        )}
      </nav>
      <${Forget} />
      <${Health} />
      <${Theme} />
    </header>
    <main id="main" tabindex="-1">
      ${wanted ? html`<${KeyPage} />` : html`
      ${!page && html`<${NoPage} path=${path} />`}
      ${page && !View && html`<${Loading} />`}
      ${View && html`<${View} key=${`${name}/${id ?? ""}`} id=${id && decodeURIComponent(id)} query=${query} />`}`}
    </main>
  `;
}

/** What is shown at an address that has no page. @param {{path: string}} props */
const NoPage = ({ path }) => html`<div class="head"><h1>There is no such page</h1></div>
  <p class="cause">No page has the address <code>${path}</code>.</p>
  <p class="hint">Go to the <a href="/">home page</a>, or <a href="/search">search</a> for what you look for.</p>`;

/** The component of a page, loaded on demand. @param {(() => Promise<any>) | undefined} load */
function useView(load) {
  const [loaded, setLoaded] = useState({ load: /** @type {any} */ (null), View: /** @type {any} */ (null) });
  useEffect(() => {
    let current = true;
    void load?.().then((module) => current && setLoaded({ load, View: module.default }));
    return () => void (current = false);
  }, [load]);
  return loaded.load === load ? loaded.View : null;
}

/** Move the focus to the page when another one is shown, as a browser does when it loads a document. @param {string} shown */
function useFocusOnPage(shown) {
  const isFirst = useRef(true);
  useEffect(() => {
    if (!isFirst.current) document.getElementById("main")?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [shown]);
}

/** The number of open questions. */
function OpenCount() {
  const asks = useOpenAsks();
  return asks?.count ? html` <span class="count" aria-label=${`${asks.text} open`}>${asks.text}</span>` : null;
}

/** What is not ready, in one word and a link. */
function Health() {
  const { data, error } = useHealth(15_000);
  if (!data) return error && html`<span role="status"><a class="health bad" href="/system">offline</a></span>`;
  const problems = Object.keys(data.problems ?? {});
  const isServing = problems.every((name) => name === "llm");
  const [kind, text] = problems.length ? (isServing ? ["warn", "no model"] : ["bad", "not ready"]) : ["good", "ready"];
  return html`<span role="status"><a class=${`health ${kind}`} href="/system">${text}</a></span>`;
}

/** Whether the API wants a key, or another one. */
function useKeyWanted() {
  const [wanted, setWanted] = useState(false);
  useEffect(() => {
    const listener = () => setWanted(true);
    window.addEventListener(KEY_WANTED, listener);
    return () => window.removeEventListener(KEY_WANTED, listener);
  }, []);
  return wanted;
}

/** What is shown instead of a page until there is a valid key. */
function KeyPage() {
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    setKey(String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("key")).trim());
    location.reload();
  };
  return html`<div class="head"><h1>Enter your key</h1></div>
    ${key() && html`<${Problem} error=${{ message: "The key was refused: it is wrong, expired or revoked." }} />`}
    <form class="stack" onSubmit=${submit}>
      <label class="field"><span class="field-name">Key</span><input name="key" type="password" autocomplete="off" required placeholder="aa_…" /></label>
      <p class="hint">Whoever runs this system makes keys with <code>async-agent keys create</code>. Yours is kept until this tab is closed.</p>
      <button class="primary">Use the key</button>
    </form>`;
}

/** A button that forgets the key of this tab. */
function Forget() {
  const forget = () => {
    setKey(null);
    location.reload();
  };
  return key() && html`<button class="forget" onClick=${forget}>Forget the key</button>`;
}

/** Dark, light, or as the system is. */
function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return html`<button class="theme" onClick=${() => setTheme(dark ? "light" : "dark")} aria-label=${dark ? "Light colours" : "Dark colours"}>
    ${dark ? "☀" : "☾"}
  </button>`;
}

/** `g` and a letter goes to a page, `/` to the search field, `j` and `k` through the rows of a list. */
function useShortcuts() {
  useEffect(() => {
    let previous = "";
    /** @param {KeyboardEvent} event */
    const listener = (event) => {
      if (event.target instanceof HTMLElement && event.target.closest("input, textarea, select")) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const target = previous === "g" && LETTERS[/** @type {keyof typeof LETTERS} */ (event.key)];
      previous = event.key;
      if (target) navigate(target);
      else if (event.key === "/") search(event);
      else if (event.key === "j" || event.key === "k") focusRow(event.key === "j" ? 1 : -1);
    };
    document.addEventListener("keydown", listener);
    return () => document.removeEventListener("keydown", listener);
  }, []);
}

/** Go to the search field of the page, or to the page that searches everything. @param {KeyboardEvent} event */
function search(event) {
  const field = /** @type {HTMLElement | null} */ (document.querySelector("[data-search]"));
  event.preventDefault();
  if (field) field.focus();
  else navigate("/search");
}

/** @param {number} step */
function focusRow(step) {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("table.list tbody a.row-link")]);
  const at = rows.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.focus();
}

interceptLinks();
keepFocus();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("root")));
