// @ts-check
/** All plans. */

import { query as text } from "../parts/api.js";
import { Status, When } from "../parts/components.js";
import { Filters, NothingFits, filtersOf, isFiltered } from "../parts/filters.js";
import { number, usd } from "../parts/format.js";
import { html } from "../parts/html.js";
import { ListTable, useList } from "../parts/list.js";

const STATUSES = ["success", "pending", "planning", "failed"];

/** @param {{query: Record<string, string>}} props */
export default function Dags({ query }) {
  const list = useList(`/api/v1/dags${text({ ...filtersOf(query), limit: 50 })}`, "dags");
  const heads = html`<th>Status</th><th>Plan</th><th class="num">Steps</th><th class="num">Planning</th><th>Schedule</th><th>Created</th>`;
  return html`
    <div class="head"><h1>Plans</h1><a class="button primary" href="/new">New run</a></div>
    <${Filters} query=${query} has=${["q", "status", "time", "agent", "tool", "cost"]} statuses=${STATUSES} />
    <${ListTable} of=${list} heads=${heads} empty=${isFiltered(query) ? "No plan fits the filters" : "No plans"}
      row=${(/** @type {import("../rows.js").Dag} */ dag) => html`<tr key=${dag.id}>
        <td><${Status} value=${dag.status} /></td>
        <td class="wide"><a class="row-link" dir="auto" href=${`/dags/${dag.id}`}>${dag.dagTitle || dag.result?.original_request || dag.id}</a></td>
        <td class="num" data-label="steps">${number(dag.result?.sub_tasks?.length)}</td>
        <td class="num" data-label="planning">${usd(dag.planningTotalCostUsd)}</td>
        <td>${dag.cronSchedule ? html`<code>${dag.cronSchedule}</code>` : ""}</td>
        <td data-label="created"><${When} at=${dag.createdAt} /></td></tr>`}>
      ${isFiltered(query) ? html`<${NothingFits} all="/dags" />` : html`<p>The planner makes one when you write a goal.</p><a class="button primary" href="/new">Write a goal</a>`}
    <//>`;
}
