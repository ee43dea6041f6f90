// @ts-check
/** One plan: its steps, how it was made, and its runs. */

import { Copy, Fact, Loaded, Problem, Status, Title, When } from "../parts/components.js";
import { number, usd } from "../parts/format.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { Preview } from "./new.js";
import { Table } from "./runs.js";

const LIST = { title: "Plans", href: "/dags" };

/** @param {{id: string}} props */
export default function Dag({ id }) {
  const dag = useLoaded(`/api/v1/dags/${id}`);
  const runs = useLoaded(`/api/v1/dags/${id}/executions?limit=20`);
  return html`<${Loaded} of=${dag} back=${LIST}>${(/** @type {any} */ data) => html`
    <p class="crumb"><a href="/dags">Plans</a></p>
    <${Title} text=${data.dagTitle || data.result?.original_request || data.id} />
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${data.status} /><//>
      <${Fact} name="Attempts to plan">${number(data.attempts)}<//>
      <${Fact} name="Cost of planning">${usd(data.planningTotalCostUsd)}<//>
      ${data.cronSchedule && html`<${Fact} name="Schedule"><code>${data.cronSchedule}</code> ${data.timezone}${data.scheduleActive ? "" : ", not active"}<//>`}
      <${Fact} name="Created"><${When} exact at=${data.createdAt} /><//>
      <${Fact} name="Id"><${Copy} text=${data.id} /><//>
    </dl>
    <${Problem} error=${data.error && { message: data.error.message ?? JSON.stringify(data.error) }} />
    ${data.clarificationQuery && html`<p><strong>The planner asked:</strong> ${data.clarificationQuery}</p>`}
    ${data.result?.sub_tasks && html`<${Preview} dag=${data} />`}
    <${Attempts} attempts=${data.planningAttempts ?? []} />
    <h2>Runs</h2>
    <${Loaded} of=${runs}>${(/** @type {any} */ found) => (found.executions.length ? html`<${Table} rows=${found.executions} kind="plans" />` : html`<p class="hint">It has not run yet.</p>`)}<//>
  `}<//>`;
}

/** @param {{attempts: any[]}} props */
function Attempts({ attempts }) {
  if (!attempts.length) return null;
  return html`<h2>How it was made</h2><table class="list">
    <thead><tr><th>Attempt</th><th>Reason</th><th class="num">Tokens</th><th class="num">Cost</th><th>What was wrong</th></tr></thead>
    <tbody>${attempts.map((one) => html`<tr>
      <td data-label="attempt">${one.attempt}</td><td>${one.reason.replaceAll("_", " ")}</td>
      <td class="num" data-label="tokens">${number(one.usage?.totalTokens)}</td><td class="num" data-label="cost">${usd(one.costUsd)}</td>
      <td>${one.errorMessage}</td></tr>`)}</tbody></table>`;
}
