// @ts-check
/** What models have cost, by day, week or month. */

import { Fact, Loaded } from "../parts/components.js";
import { usd } from "../parts/format.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { setQuery } from "../parts/router.js";

const PERIODS = { "7d": "7 days", "30d": "30 days", "12m": "12 months" };
const PARTS = { planningCostUsd: "Planning", executionCostUsd: "Plans", goalRunCostUsd: "Goals", taskCostUsd: "Tasks" };

/** @param {{query: Record<string, string>}} props */
export default function Costs({ query }) {
  const from = query.from in PERIODS ? query.from : "30d";
  const costs = useLoaded(`/api/v1/costs/summary?from=${from}&groupBy=${from === "12m" ? "month" : "day"}`);
  return html`
    <div class="head"><h1>Costs</h1></div>
    <form class="filters"><label>Period
      <select value=${from} onChange=${(/** @type {any} */ event) => setQuery({ from: event.target.value })}>
        ${Object.entries(PERIODS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}
      </select></label></form>
    <${Loaded} of=${costs}>${(/** @type {any} */ data) => {
      const most = Math.max(1e-9, ...data.summary.map((/** @type {any} */ one) => Number(one.totalCostUsd)));
      return html`
        <dl class="facts">
          <${Fact} name="Total">${usd(data.totals.totalCostUsd)}<//>
          ${Object.entries(PARTS).map(([name, title]) => html`<${Fact} name=${title}>${usd(data.totals[name])}<//>`)}
        </dl>
        ${data.summary.length ? html`<table class="list"><thead><tr><th>Date (UTC)</th><th class="wide">Share</th>${Object.values(PARTS).map((title) => html`<th class="num">${title}</th>`)}<th class="num">Total</th></tr></thead><tbody>
          ${data.summary.map((/** @type {any} */ one) => html`<tr key=${one.date}>
            <td class="date">${one.date}</td>
            <td class="wide"><span class="meter"><span style=${{ width: `${(Number(one.totalCostUsd) / most) * 100}%` }}></span></span></td>
            ${Object.keys(PARTS).map((name) => html`<td class="num" data-label=${PARTS[/** @type {keyof typeof PARTS} */ (name)].toLowerCase()}>${usd(one[name])}</td>`)}
            <td class="num" data-label="total"><strong>${usd(one.totalCostUsd)}</strong></td></tr>`)}
        </tbody></table>` : html`<p class="hint">Nothing was spent in this period.</p>`}
        <p class="hint">Models without a known price count as 0.</p>`;
    }}<//>`;
}
