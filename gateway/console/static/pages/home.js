// @ts-check
/** What runs, what failed, what it cost, what comes next, and what is not ready. */

import { Empty, Loaded, Problem } from "../parts/components.js";
import { number, usd } from "../parts/format.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { Table, useLiveReload } from "./runs.js";

export default function Home() {
  const running = useLoaded("/api/v1/dag-executions?status=running&limit=5");
  const goals = useLoaded("/api/v1/runs?status=running&limit=5");
  const suspended = useLoaded("/api/v1/dag-executions?cursor=&status=failed&limit=5");
  const recent = useLoaded("/api/v1/dag-executions?limit=8");
  const recentGoals = useLoaded("/api/v1/runs?limit=8");
  const costs = useLoaded("/api/v1/costs/summary?from=1d", { everyMs: 30_000 });
  const ready = useLoaded("/health/ready", { everyMs: 15_000 });
  useLiveReload(() => [running, goals, suspended, recent, recentGoals].forEach((one) => void one.reload()));
  const count = (running.data?.pagination.total ?? 0) + (goals.data ?? []).filter((/** @type {any} */ run) => run.strategy === "agent").length;
  const problems = Object.entries(ready.data?.problems ?? ready.error?.body?.problems ?? {});
  const isNew = recent.data && !recent.data.executions.length && recentGoals.data && !recentGoals.data.length;
  return html`
    <div class="head"><h1>Home</h1><a class="button primary" href="/new">New run</a></div>
    ${problems.map(([name, text]) => html`<${Problem} error=${{ message: `${name}: ${text}` }} />`)}
    <div class="tiles">
      <${Tile} title="Running now" value=${number(count)} href="/runs?status=running" />
      <${Tile} title="Failed" value=${suspended.data ? number(suspended.data.pagination.count) + (suspended.data.pagination.nextCursor ? "+" : "") : "–"} href="/runs?status=failed" bad=${suspended.data?.pagination.count > 0} />
      <${Tile} title="Spent in 24 hours" value=${usd(costs.data?.totals?.totalCostUsd ?? costs.data?.totals?.grandTotalCostUsd)} href="/costs" />
      <${Tile} title="Schedules" value=${number((ready.data?.scheduler.activeSchedules ?? 0) + (ready.data?.dagScheduler.activeSchedules ?? 0))} href="/goals" />
    </div>
    ${isNew
      ? html`<${Empty} title="Welcome">
          <p>Write down what you want to have done. The planner makes a plan of steps, the executor carries it out, and you watch.</p>
          <a class="button primary" href="/new">Write a goal</a>
        <//>`
      : html`
          <h2>Latest runs of plans</h2>
          <${Loaded} of=${recent}>${(/** @type {any} */ data) => html`<${Table} rows=${data.executions} kind="plans" />`}<//>
          <h2>Latest runs of goals</h2>
          <${Loaded} of=${recentGoals}>${(/** @type {any[]} */ rows) => html`<${Table} rows=${rows} kind="goals" />`}<//>
        `}
  `;
}

/** @param {{title: string, value: string, href: string, bad?: boolean}} props */
const Tile = ({ title, value, href, bad }) =>
  html`<a class=${`tile ${bad ? "bad" : ""}`} href=${href}><span>${title}</span><strong>${value}</strong></a>`;

