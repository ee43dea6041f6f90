// @ts-check
/** All plans. */

import { Empty, Loaded, Status, When } from "../parts/components.js";
import { number, usd } from "../parts/format.js";
import { html } from "../parts/html.js";
import { useList } from "../parts/loading.js";

export default function Dags() {
  const list = useList("/api/v1/dags?limit=50", "dags");
  return html`
    <div class="head"><h1>Plans</h1><a class="button primary" href="/new">New run</a></div>
    <${Loaded} of=${list}>${(/** @type {any[]} */ rows) =>
      rows.length
        ? html`<table class="list"><thead><tr><th>Status</th><th>Plan</th><th class="num">Steps</th><th class="num">Planning</th><th>Schedule</th><th>Made</th></tr></thead><tbody>
            ${rows.map((dag) => html`<tr key=${dag.id}>
              <td><${Status} value=${dag.status} /></td>
              <td class="wide"><a class="row-link" href=${`/dags/${dag.id}`}>${dag.dagTitle || dag.result?.original_request || dag.id}</a></td>
              <td class="num">${number(dag.result?.sub_tasks?.length)}</td>
              <td class="num">${usd(dag.planningTotalCostUsd)}</td>
              <td>${dag.cronSchedule ? html`<code>${dag.cronSchedule}</code>` : ""}</td>
              <td><${When} at=${dag.createdAt} /></td></tr>`)}
          </tbody></table>`
        : html`<${Empty} title="No plans"><p>The planner makes one when you write a goal.</p><a class="button primary" href="/new">Write a goal</a><//>`}<//>
    ${list.more && html`<button class="more" onClick=${list.more}>Show more</button>`}`;
}
