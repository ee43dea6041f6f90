// @ts-check
/** All goals and their schedules. */

import { query as text } from "../parts/api.js";
import { Status, When } from "../parts/components.js";
import { Filters, NothingFits, filtersOf, isFiltered } from "../parts/filters.js";
import { html } from "../parts/html.js";
import { ListTable, useList } from "../parts/list.js";

const STATUSES = ["active", "paused", "archived"];

/** @param {{query: Record<string, string>}} props */
export default function Goals({ query }) {
  const list = useList(`/api/v1/goals${text({ ...filtersOf(query), limit: 50 })}`, "goals");
  return html`
    <div class="head"><h1>Goals</h1><a class="button primary" href="/new">New run</a></div>
    <${Filters} query=${query} has=${["q", "status", "time", "agent", "tool", "cost"]} statuses=${STATUSES} />
    <${ListTable} of=${list} heads=${html`<th>Status</th><th>Goal</th><th>Schedules</th><th>Created</th>`} empty=${isFiltered(query) ? "No goal fits the filters" : "No goals"}
      row=${(/** @type {import("../rows.js").Goal} */ goal) => html`<tr key=${goal.id}>
        <td><${Status} value=${goal.status} /></td>
        <td class="wide"><a class="row-link" dir="auto" href=${`/goals/${goal.id}`}>${goal.objective}</a></td>
        <td>${goal.schedules.map((/** @type {any} */ one) => html`<code>${one.cronExpr}</code> ${one.timezone} `)}</td>
        <td data-label="created"><${When} at=${goal.createdAt} /></td></tr>`}>
      ${isFiltered(query) ? html`<${NothingFits} all="/goals" />` : html`<p>A goal is a text that can run again and again, by hand or on a schedule.</p><a class="button primary" href="/new">Write one</a>`}
    <//>`;
}
