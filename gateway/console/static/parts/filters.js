// @ts-check
/** Filters of a list. They are kept in the address, so a filtered list can be bookmarked. */

import { html, useEffect, useRef, useState } from "./html.js";
import { useLoaded } from "./loading.js";
import { setQuery } from "./router.js";

/** @typedef {"q" | "status" | "time" | "agent" | "tool" | "cost"} Filter */

const PERIODS = { "1d": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days", "12m": "last 12 months" };
const PAUSE_MS = 250;

/** The filters of an address as parameters of the API. @param {Record<string, string>} query */
export const filtersOf = ({ q, status, from, to, agent, tool, minCostUsd }) => ({
  q: q?.trim(), status, from, to, agent: agent?.trim(), tool: tool?.trim(), minCostUsd: minCostUsd?.trim(),
});

/** Whether an address has a filter. @param {Record<string, string>} query */
export const isFiltered = (query) => Object.values(filtersOf(query)).some(Boolean);

/** What to do when nothing fits the filters. @param {{all: string}} props the address of the list without them */
export const NothingFits = ({ all }) => html`<p>Change the filters, or <a href=${all}>remove them</a>.</p>`;

/**
 * The form of the filters `has`. `children` come first.
 * @param {{query: Record<string, string>, has: Filter[], statuses?: string[], children?: any}} props
 */
export function Filters({ query, has, statuses = [], children }) {
  const more = has.filter((name) => name === "agent" || name === "tool" || name === "cost");
  const isSet = Boolean(query.agent || query.tool || query.minCostUsd);
  return html`<form class="filters" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    ${children}
    ${has.includes("q") && html`<label class="grow">Search <${Text} name="q" type="search" value=${query.q} hint="Words of a goal, title, error or report" /></label>`}
    ${has.includes("status") && html`<label>Status
      <select value=${query.status ?? ""} onChange=${(/** @type {any} */ event) => setQuery({ status: event.target.value })}>
        <option value="">all</option>${statuses.map((name) => html`<option value=${name}>${name}</option>`)}
      </select></label>`}
    ${has.includes("time") && html`<${Time} query=${query} />`}
    ${more.length > 0 && html`<details class="more-filters" open=${isSet}><summary>More filters</summary><div class="filters">
      ${more.includes("agent") && html`<${Named} name="agent" title="Agent" value=${query.agent} path="/api/v1/agents" nameOf=${(/** @type {any} */ one) => one.name} />`}
      ${more.includes("tool") && html`<${Named} name="tool" title="Tool" value=${query.tool} path="/api/v1/tools" nameOf=${(/** @type {any} */ one) => one.function.name} />`}
      ${more.includes("cost") && html`<label>Cost at least <${Text} name="minCostUsd" type="text" value=${query.minCostUsd} hint="US dollars" /></label>`}
    </div></details>`}
  </form>`;
}

/** An input whose text goes into the address soon after the last key. @param {{name: string, type: string, value?: string, hint: string, list?: string}} props */
export function Text({ name, type, value = "", hint, list }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const later = (/** @type {any} */ event) => {
    const written = event.target.value;
    setText(written);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ [name]: written }), PAUSE_MS);
  };
  return html`<input type=${type} value=${text} placeholder=${hint} list=${list} data-search=${type === "search"} autocomplete="off" onInput=${later} />`;
}

/** A name, with the known ones as suggestions. @param {{name: string, title: string, value?: string, path: string, nameOf: (one: any) => string}} props */
function Named({ name, title, value, path, nameOf }) {
  const known = useLoaded(path);
  const names = [...new Set((known.data ?? []).map(nameOf))].sort();
  return html`<label>${title} <${Text} name=${name} type="text" value=${value} hint="any" list=${`known-${name}`} /></label>
    <datalist id=${`known-${name}`}>${names.map((one) => html`<option value=${one} />`)}</datalist>`;
}

/** A period up to now, or two times of the browser's zone. @param {{query: Record<string, string>}} props */
function Time({ query }) {
  const isPeriod = !query.from || query.from in PERIODS;
  const [custom, setCustom] = useState(Boolean(query.to) || !isPeriod);
  const choose = (/** @type {any} */ event) => {
    const chosen = event.target.value;
    setCustom(chosen === "custom");
    if (chosen !== "custom") setQuery({ from: chosen, to: "" });
  };
  return html`<label>Time
      <select value=${custom ? "custom" : (query.from ?? "")} onChange=${choose}>
        <option value="">all</option>${Object.entries(PERIODS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}<option value="custom">from … to …</option>
      </select></label>
    ${custom && html`<${Moment} name="from" title="From" value=${isPeriod ? "" : query.from} /><${Moment} name="to" title="To" value=${query.to} />`}`;
}

/** @param {{name: string, title: string, value?: string}} props */
const Moment = ({ name, title, value }) => html`<label>${title}
  <input type="datetime-local" value=${value ? localOf(value) : ""} onChange=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value ? new Date(event.target.value).toISOString() : "" })} /></label>`;

/** A time as such an input writes it: local, without a zone. @param {string} iso */
function localOf(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? "" : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
