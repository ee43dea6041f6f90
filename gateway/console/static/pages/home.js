// @ts-check
/** What runs, what failed, what it cost, what comes next, and what is not ready. */

import { Empty, Loaded, Problem } from "../parts/components.js";
import { number, usd } from "../parts/format.js";
import { problemsOf, useHealth } from "../parts/health.js";
import { html } from "../parts/html.js";
import { useLoaded, useOpenAsks } from "../parts/loading.js";
import { Table, useLiveReload } from "./runs.js";

export default function Home() {
  const running = useLoaded("/api/v1/dag-executions?status=running&limit=1");
  const goals = useLoaded("/api/v1/runs?status=running&limit=100");
  const suspended = useLoaded("/api/v1/dag-executions?status=suspended&limit=1");
  const failed = useLoaded("/api/v1/dag-executions?status=failed&limit=1");
  const recent = useLoaded("/api/v1/dag-executions?limit=8");
  const recentGoals = useLoaded("/api/v1/runs?limit=8");
  const costs = useLoaded("/api/v1/costs/summary?from=1d", { everyMs: 30_000 });
  const budget = useLoaded("/api/v1/budget", { everyMs: 30_000 });
  const asks = useOpenAsks();
  const state = useHealth(15_000).data;
  useLiveReload(() => [running, goals, suspended, failed, recent, recentGoals].forEach((one) => void one.reload()));
  const agents = goals.data?.filter((/** @type {any} */ run) => run.strategy === "agent").length;
  const count = running.data && goals.data ? running.data.pagination.total + agents : null;
  const schedules = state?.scheduler && state.scheduler.activeSchedules + state.dagScheduler.activeSchedules;
  const isNew = recent.data && !recent.data.executions.length && recentGoals.data && !recentGoals.data.length;
  return html`
    <div class="head"><h1>Home</h1><a class="button primary" href="/new">New run</a></div>
    ${problemsOf(state?.problems).map((message) => html`<${Problem} key=${message} error=${{ message }} />`)}
    <div class="tiles">
      <${Tile} title="Running now" value=${number(count)} href="/runs?status=running" />
      <${Tile} title="Waiting for you" value=${asks?.text ?? "–"} href="/inbox" bad=${Boolean(asks?.count)} />
      <${Tile} title="Suspended" value=${number(suspended.data?.pagination.total)} href="/runs?status=suspended" bad=${suspended.data?.pagination.total > 0} />
      <${Tile} title="Failed" value=${number(failed.data?.pagination.total)} href="/runs?status=failed" />
      <${Tile} title="Spent in 24 hours" value=${usd(costs.data?.totals.totalCostUsd)} href="/costs" />
      ${budget.data && LIMITED.filter(([period]) => budget.data.system[period].allowed !== null).map(([period, title]) => html`
        <${Tile} title=${title} value=${spentOf(budget.data.system[period])} href="/costs" bad=${budget.data.system[period].warned} />`)}
      <${Tile} title="Schedules" value=${number(schedules)} href="/goals" />
    </div>
    ${isNew
      ? html`<${Welcome} hasModel=${!state?.problems?.llm} />`
      : html`
          <h2>Latest runs of plans</h2>
          <${Loaded} of=${recent}>${(/** @type {any} */ data) => data.executions.length
            ? html`<${Table} rows=${data.executions} kind="plans" />`
            : html`<p class="hint">No plan has run yet. <a href="/new">Write a goal</a> to have one made.</p>`}<//>
          <h2>Latest runs of goals</h2>
          <${Loaded} of=${recentGoals}>${(/** @type {any[]} */ rows) => rows.length
            ? html`<${Table} rows=${rows} kind="goals" />`
            : html`<p class="hint">No agent has worked on a goal yet. <a href="/new?way=agent">Give one a goal</a>.</p>`}<//>
        `}
  `;
}

/** What a new system can do, and how to begin. @param {{hasModel: boolean}} props */
const Welcome = ({ hasModel }) => html`<${Empty} title="Welcome. Nothing has run yet.">
  <ol class="begin">
    <li><strong>Write a goal</strong> in plain words: what you want to have done.</li>
    <li><strong>Look at the plan.</strong> Nothing runs before you say so.</li>
    <li><strong>Watch it run.</strong> This page then shows what runs, what failed and why, what it cost, and what waits for you.</li>
  </ol>
  ${hasModel ? html`<p><a class="button primary" href="/new">Write a goal</a> <a class="button" href="/new?way=job">Run an example plan</a></p>`
    : html`<p>No model is configured yet, so goals cannot be planned. A plan that you bring runs without one.</p><a class="button primary" href="/new?way=job">Run an example plan without a model</a>`}
<//>`;

const LIMITED = /** @type {const} */ ([["day", "Spent today"], ["month", "Spent this month"]]);

/** What is spent of a limit. @param {any} period */
const spentOf = (period) => `${usd(period.spent)} of ${usd(period.allowed)}`;

/** @param {{title: string, value: string, href: string, bad?: boolean}} props */
const Tile = ({ title, value, href, bad }) =>
  html`<a class=${`tile ${bad ? "bad" : ""}`} href=${href}><span>${title}</span><strong>${value}</strong></a>`;

