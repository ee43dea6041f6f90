// @ts-check
/** Search all runs, goals and plans. */

import { query as text } from "../parts/api.js";
import { Empty, Status, When } from "../parts/components.js";
import { Filters } from "../parts/filters.js";
import { plain } from "../parts/format.js";
import { html, useEffect } from "../parts/html.js";
import { ListTable, useList } from "../parts/list.js";
import { setQuery } from "../parts/router.js";

const KINDS = { "": "everything", "run,execution": "runs", goal: "goals", dag: "plans" };
const NAMES = { run: "run of a goal", execution: "run", goal: "goal", dag: "plan" };
const PAGES = { run: "runs", execution: "runs", goal: "goals", dag: "dags" };

/** @param {{query: Record<string, string>}} props */
export default function Search({ query }) {
  useEffect(() => /** @type {HTMLElement | null} */ (document.querySelector("[data-search]"))?.focus(), []);
  const q = query.q?.trim();
  return html`
    <div class="head"><h1>Search</h1></div>
    <${Filters} query=${query} has=${["q"]}>
      <label>In <select value=${query.kind ?? ""} onChange=${(/** @type {any} */ event) => setQuery({ kind: event.target.value })}>
        ${Object.entries(KINDS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}
      </select></label>
    <//>
    ${q ? html`<${Hits} q=${q} kind=${query.kind} />` : html`<${Empty} title="Search runs, goals and plans"><p>Finds all words, in any order, in goals, titles, errors, ids and reports. <kbd>/</kbd> brings you here from every page.</p><//>`}`;
}

/** @param {{q: string, kind?: string}} props */
function Hits({ q, kind }) {
  const list = useList(`/api/v1/search${text({ q, kind, limit: 50 })}`, "hits");
  const words = q.split(/\s+/);
  return html`<${ListTable} of=${list} empty="Nothing was found" heads=${html`<th>Status</th><th>What</th><th>Kind</th><th>Created</th>`}
    row=${(/** @type {import("../rows.js").Hit} */ hit) => html`<tr key=${`${hit.kind}/${hit.id}`}>
      <td><${Status} value=${hit.status} /></td>
      <td class="wide"><a class="row-link" dir="auto" href=${`/${PAGES[/** @type {keyof typeof PAGES} */ (hit.kind)]}/${hit.id}`}>${hit.title || hit.id}</a>
        ${hit.snippet !== hit.title && html`<div class="hint"><${Marked} text=${plain(hit.snippet)} words=${words} /></div>`}</td>
      <td>${NAMES[/** @type {keyof typeof NAMES} */ (hit.kind)]}</td>
      <td data-label="created"><${When} at=${hit.at} /></td></tr>`}><p>Every word must occur. Try fewer words, or the beginning of one.</p><//>`;
}

/** A text in which the words are marked. @param {{text: string, words: string[]}} props */
function Marked({ text, words }) {
  const any = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  return text.split(new RegExp(`(${any})`, "gi")).map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part));
}
