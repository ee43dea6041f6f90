// @ts-check
/** Lists of executions of plans and of runs of goals. The filters are in the address. */

import { query as text } from "../parts/api.js";
import { Status, When } from "../parts/components.js";
import { follow } from "../parts/events.js";
import { Filters, NothingFits, filtersOf, isFiltered } from "../parts/filters.js";
import { duration, number, usd } from "../parts/format.js";
import { html, useCallback, useEffect } from "../parts/html.js";
import { ListTable, useList } from "../parts/list.js";
import { useThrottled } from "../parts/loading.js";
import { setQuery } from "../parts/router.js";

/** @typedef {"plans" | "goals"} Kind */
const KINDS = { plans: "Runs of plans", goals: "Runs of goals" };
const STATUSES = {
  plans: ["pending", "running", "waiting", "completed", "failed", "suspended"],
  goals: ["pending", "running", "completed", "failed"],
};

/** @param {{query: Record<string, string>}} props */
export default function Runs({ query }) {
  const kind = query.kind === "goals" ? "goals" : "plans";
  const filters = { ...filtersOf(query), limit: 50, goalId: kind === "goals" ? query.goal : "" };
  const list = useList(`/api/v1/${kind === "goals" ? "runs" : "dag-executions"}${text(filters)}`, "executions");
  useLiveReload(list.reload);
  return html`
    <div class="head"><h1>Runs</h1><a class="button primary" href="/new">New run</a></div>
    <${Filters} query=${query} has=${["q", "status", "time", "agent", "tool", "cost"]} statuses=${STATUSES[kind]}>
      <label>Kind <select value=${kind} onChange=${(/** @type {any} */ event) => setQuery({ kind: event.target.value, status: "" })}>
        ${Object.entries(KINDS).map(([name, title]) => html`<option value=${name}>${title}</option>`)}
      </select></label>
    <//>
    <${ListTable} of=${list} heads=${headsOf(kind)} row=${(/** @type {any} */ row) => rowOf(kind, row)} empty=${isFiltered(query) ? "No run fits the filters" : "Nothing has run yet"}>
      ${isFiltered(query) ? html`<${NothingFits} all=${`/runs?kind=${kind}`} />` : html`<p>Give a goal in plain words, and watch what becomes of it.</p><a class="button primary" href="/new">New run</a>`}
    <//>`;
}

/** A table of a few runs. @param {{rows: any[], kind: Kind}} props */
export const Table = ({ rows, kind }) => html`<table class="list"><thead><tr>${headsOf(kind)}</tr></thead><tbody>${rows.map((row) => rowOf(kind, row))}</tbody></table>`;

/** @param {Kind} kind */
const headsOf = (kind) => html`<th>Status</th><th>${kind === "goals" ? "Goal" : "Request"}</th><th class="num">Steps</th><th class="num">Took</th><th class="num">Cost</th><th>Started</th>`;

/** @param {Kind} kind @param {any} row */
function rowOf(kind, row) {
  const { title, done, all, ms, remark, error } = kind === "goals" ? ofGoal(row) : ofPlan(row);
  return html`<tr key=${row.id}>
    <td><${Status} value=${row.status} cancelled=${Boolean(row.cancelledAt ?? row.cancelledReason)} remark=${remark} title=${error} /></td>
    <td class="wide"><a class="row-link" dir="auto" href=${`/runs/${row.id}`}>${title}</a></td>
    <td class="num" data-label="steps">${number(done)}${all ? ` / ${number(all)}` : ""}</td>
    <td class="num" data-label="took">${duration(ms)}</td>
    <td class="num" data-label="cost">${usd(row.totalCostUsd)}</td>
    <td data-label="started"><${When} at=${row.startedAt ?? row.createdAt} /></td>
  </tr>`;
}

/** @param {import("../rows.js").Execution} row */
const ofPlan = (row) => ({ title: row.dagTitle || row.originalRequest || row.id, done: row.completedTasks, all: row.totalTasks, ms: row.durationMs, remark: null, error: row.suspendedReason });
/** @param {import("../rows.js").Run} row */
const ofGoal = (row) => ({
  title: row.goal?.objective ?? row.id,
  done: row.stepsExecuted,
  all: row.strategy === "dag" ? row.stepBudget : null,
  ms: row.startedAt && row.endedAt ? Date.parse(row.endedAt) - Date.parse(row.startedAt) : null,
  remark: row.status === "completed" ? remarkOf(row) : null,
  error: row.error,
});

/** Why a completed run may not have done all that it was told. @param {import("../rows.js").Run} row */
function remarkOf(row) {
  if (row.failedCalls) return row.failedCalls === 1 ? "1 failed call" : `${number(row.failedCalls)} failed calls`;
  return row.outcomeReason && row.outcomeReason !== "done" ? row.outcomeReason.replaceAll("_", " ") : null;
}

/** Reload soon after a run changes. @param {() => void} reload */
export function useLiveReload(reload) {
  const soon = useThrottled(useCallback(reload, [reload]), 1000);
  useEffect(() => follow("/api/v1/events?aggregate=run", { onEvent: soon, onState: (connected) => connected && soon() }), [soon]);
}
