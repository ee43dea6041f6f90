// @ts-check
/** Lists of executions of plans and of runs of goals. The filters are in the address. */

import { query as text } from "../parts/api.js";
import { Empty, Loaded, Status, When } from "../parts/components.js";
import { duration, number, usd } from "../parts/format.js";
import { html, useCallback, useEffect } from "../parts/html.js";
import { follow } from "../parts/events.js";
import { useList, useThrottled } from "../parts/loading.js";
import { setQuery } from "../parts/router.js";

const KINDS = { plans: "Runs of plans", goals: "Runs of goals" };
const STATUSES = {
  plans: ["pending", "running", "waiting", "completed", "failed", "suspended"],
  goals: ["pending", "running", "completed", "failed"],
};

/** @param {{query: Record<string, string>}} props */
export default function Runs({ query }) {
  const kind = query.kind === "goals" ? "goals" : "plans";
  const filters = { limit: 50, status: query.status, goal_id: kind === "goals" ? query.goal : "" };
  const list = useList(`/api/v1/${kind === "goals" ? "runs" : "dag-executions"}${text(filters)}`, "executions");
  useLiveReload(list.reload);
  return html`
    <div class="head">
      <h1>Runs</h1>
      <a class="button primary" href="/new">New run</a>
    </div>
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label>Kind
        <select value=${kind} onChange=${(/** @type {any} */ event) => setQuery({ kind: event.target.value, status: "" })}>
          ${Object.entries(KINDS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}
        </select>
      </label>
      <label>Status
        <select data-search value=${query.status ?? ""} onChange=${(/** @type {any} */ event) => setQuery({ status: event.target.value })}>
          <option value="">all</option>
          ${STATUSES[kind].map((name) => html`<option value=${name}>${name}</option>`)}
        </select>
      </label>
    </form>
    <${Loaded} of=${list}>${(/** @type {any[]} */ rows) => (rows.length ? html`<${Table} rows=${rows} kind=${kind} />` : html`<${NoRuns} filtered=${query.status} />`)}<//>
    ${list.more && html`<button class="more" onClick=${list.more}>Show more</button>`}
  `;
}

/** @param {{rows: any[], kind: string}} props */
export function Table({ rows, kind }) {
  return html`<table class="list">
    <thead><tr><th>Status</th><th>${kind === "goals" ? "Goal" : "Request"}</th><th class="num">Steps</th><th class="num">Took</th><th class="num">Cost</th><th>Started</th></tr></thead>
    <tbody>
      ${rows.map((row) => {
        const { title, done, all, ms } = kind === "goals" ? ofGoal(row) : ofPlan(row);
        return html`<tr key=${row.id}>
          <td><${Status} value=${row.status} cancelled=${Boolean(row.cancelledAt ?? row.cancelledReason)} /></td>
          <td class="wide"><a class="row-link" href=${`/runs/${row.id}`}>${title}</a></td>
          <td class="num">${number(done)}${all ? ` / ${number(all)}` : ""}</td>
          <td class="num">${duration(ms)}</td>
          <td class="num">${usd(row.totalCostUsd)}</td>
          <td><${When} at=${row.startedAt ?? row.createdAt} /></td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

/** @param {any} row */
const ofPlan = (row) => ({ title: row.dagTitle || row.originalRequest || row.id, done: row.completedTasks, all: row.totalTasks, ms: row.durationMs });
/** @param {any} row */
const ofGoal = (row) => ({
  title: row.goal?.objective ?? row.id,
  done: row.stepsExecuted,
  all: row.strategy === "dag" ? row.stepBudget : null,
  ms: row.startedAt && row.endedAt ? Date.parse(row.endedAt) - Date.parse(row.startedAt) : null,
});

/** @param {{filtered?: string}} props */
const NoRuns = ({ filtered }) =>
  filtered
    ? html`<${Empty} title=${`No run is ${filtered}`}><p>Choose another status to see other runs.</p><//>`
    : html`<${Empty} title="Nothing has run yet"><p>Give a goal in plain words, and watch what becomes of it.</p><a class="button primary" href="/new">New run</a><//>`;

/** Reload soon after a run changes. @param {() => void} reload */
export function useLiveReload(reload) {
  const soon = useThrottled(useCallback(reload, [reload]), 1000);
  useEffect(() => follow("/api/v1/events?aggregate=run", { onEvent: soon }), [soon]);
}
