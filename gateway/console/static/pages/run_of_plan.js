// @ts-check
/** The run of a plan: its steps as a graph, over time, its report, costs and events. */

import { call, post } from "../parts/api.js";
import { Budget, BudgetFact, BudgetNotice, useBudget } from "../parts/budget.js";
import { Action, Copy, Fact, Loaded, Status, Tabs, Title, When } from "../parts/components.js";
import { follow } from "../parts/events.js";
import { EventsLog } from "../parts/events_log.js";
import { duration, number, usd } from "../parts/format.js";
import { Forks } from "../parts/forking.js";
import { Graph } from "../parts/graph.js";
import { labelOf } from "../parts/graph_parts.js";
import { html, useEffect, useState } from "../parts/html.js";
import { useLoaded, useThrottled } from "../parts/loading.js";
import { Markdown } from "../parts/markdown.js";
import { Policy } from "../parts/outward.js";
import { OpenQuestions } from "../parts/questions.js";
import { navigate, setQuery } from "../parts/router.js";
import { Timeline } from "../parts/timeline.js";
import { StepDrawer } from "./step_drawer.js";

const TABS = { graph: "Steps", timeline: "Timeline", report: "Report", costs: "Costs", budget: "Budget", events: "Events" };

const LIST = { title: "Runs", href: "/runs" };

/** @param {{id: string, query: Record<string, string>}} props */
export function PlanRun({ id, query }) {
  const run = useLoaded(`/api/v1/dag-executions/${id}`);
  const connected = useFollowed(`/api/v1/dag-executions/${id}/events`, run);
  const tab = query.tab in TABS ? query.tab : "graph";
  const budget = useBudget(`/api/v1/dag-executions/${id}`, tab === "budget" ? run.data?.seq : run.data?.status);
  const changed = async () => void (await Promise.all([budget.reload(), run.reload()]));
  const choose = (/** @type {string} */ step) => setQuery({ step });
  return html`<${Loaded} of=${run} back=${LIST}>${(/** @type {import("../rows.js").ExecutionDetail} */ data) => html`
    <${Head} run=${data} reload=${run.reload} connected=${connected} budget=${budget.data} />
    <${BudgetNotice} budget=${budget.data} />
    <${Failure} run=${data} choose=${choose} byBudget=${Boolean(budget.data?.reached)} />
    ${!isOver(data) && html`<${OpenQuestions} runId=${id} seq=${data.seq} />`}
    <${Tabs} names=${TABS} chosen=${tab} choose=${(/** @type {string} */ name) => setQuery({ tab: name })} />
    <div id="tabpanel" role="tabpanel" aria-labelledby=${`tab-${tab}`} class="panel">
      ${tab === "graph" && html`<${Steps} planning=${!isOver(data)} steps=${data.subSteps} chosen=${query.step ?? ""} choose=${choose} />`}
      ${tab === "timeline" && html`<${Timeline} steps=${data.subSteps} choose=${choose} />`}
      ${tab === "report" && (data.synthesisResult ? html`<${Markdown} text=${data.synthesisResult} />` : html`<p class="hint">${isOpen(data) ? "The report is written when all steps are done." : "The run ended without a report."}</p>`)}
      ${tab === "costs" && html`<${Costs} run=${data} />`}
      ${tab === "budget" && html`<${Budget} path=${`/api/v1/dag-executions/${id}`} budget=${budget} changeable=${isOpen(data)} changed=${changed} />`}
      ${tab === "events" && html`<${EventsLog} id=${id} />`}
    </div>
    <${StepDrawer} run=${data} step=${data.subSteps.find((/** @type {import("../rows.js").Step} */ step) => step.taskId === query.step)} close=${() => choose("")} />
  `}<//>`;
}

/** Reload a run after each of its events. Returns whether the stream is connected. @param {string} path @param {any} run */
export function useFollowed(path, run) {
  const [connected, setConnected] = useState(true);
  const soon = useThrottled(run.reload, Math.max(150, 4 * run.tookMs));
  const seq = run.data?.seq;
  const isOpen = seq !== undefined && !isOver(run.data);
  const changed = (/** @type {boolean} */ now) => {
    setConnected(now);
    if (now) soon();
  };
  useEffect(
    () => (isOpen ? follow(path, { after: seq, onEvent: soon, onState: changed, onEnd: run.reload }) : undefined),
    [path, isOpen],
  );
  return connected || !isOpen;
}

/** @param {any} run */
const isOver = (run) => ["completed", "failed", "suspended"].includes(run.status);

/** Whether the run can still go on. @param {any} run */
const isOpen = (run) => !isOver(run) || run.status === "suspended";

/** @param {{run: import("../rows.js").ExecutionDetail, reload: () => Promise<void>, connected: boolean, budget: import("../rows.js").RunBudget | null}} props */
function Head({ run, reload, connected, budget }) {
  const path = `/api/v1/dag-executions/${run.id}`;
  return html`<div class="head">
      <div>
        <p class="crumb"><a href="/runs">Runs</a> / <a href=${`/dags/${run.dagId}`}>Plan</a></p>
        <${Title} text=${run.dagTitle || run.originalRequest || run.id} />
      </div>
      <div class="actions">
        ${run.status === "suspended" && html`<${Action} label="Resume" kind="primary" sure="" act=${() => post(`/api/v1/resume-dag/${run.id}`).then(reload)} />`}
        ${!isOver(run) && html`<${Action} label="Cancel" sure="Really cancel" act=${() => post(`${path}/cancel`).then(reload)} />`}
        ${isOver(run) && run.status !== "suspended" && html`<${Action} label="Run again" sure="" act=${() => post("/api/v1/execute-dag", { dagId: run.dagId }).then((/** @type {any} */ made) => navigate(`/runs/${made.executionId}`))} />`}
        ${isOver(run) && html`<${Action} label="Delete" sure="Really delete" act=${() => call("DELETE", path).then(() => navigate("/runs"))} />`}
      </div>
    </div>
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${run.status} cancelled=${run.cancelledAt} />${!connected && html` <span class="hint" role="status">reconnecting…</span>`}<//>
      <${Fact} name="Steps">${number(run.completedTasks)} of ${number(run.totalTasks)}${run.failedTasks ? `, ${run.failedTasks} failed` : ""}<//>
      <${Fact} name="Took">${duration(run.durationMs)}<//>
      <${Fact} name="Cost">${usd(run.totalCostUsd)}<//>
      <${BudgetFact} budget=${budget} />
      <${Policy} run=${run} />
      <${Forks} run=${run} />
      <${Fact} name="Started"><${When} exact at=${run.startedAt ?? run.createdAt} /><//>
      <${Fact} name="Id"><${Copy} text=${run.id} /><//>
    </dl>`;
}

/** What went wrong, on top. @param {{run: import("../rows.js").ExecutionDetail, choose: (id: string) => void, byBudget: boolean}} props */
function Failure({ run, choose, byBudget }) {
  const failed = run.subSteps.filter((/** @type {import("../rows.js").Step} */ step) => step.status === "failed");
  const reason = run.cancelledAt ? `Cancelled${run.cancelledReason ? `: ${run.cancelledReason}` : ""}` : run.suspendedReason;
  if (!failed.length && !reason) return null;
  return html`<div class="problem" role="alert">
    ${reason && !failed.some((/** @type {import("../rows.js").Step} */ step) => step.error === reason) && html`<p>${reason}</p>`}
    ${failed.map((/** @type {import("../rows.js").Step} */ step) => html`<p key=${step.taskId}>
      <button class="link" onClick=${() => choose(step.taskId)}>${labelOf(step)}</button> (${step.toolOrPromptName}): ${step.error}
    </p>`)}
    ${run.status === "suspended" && !byBudget && html`<p class="hint">Mend the cause, then press Resume. Steps that are done do not run again. To change a step, open it.</p>`}
  </div>`;
}

/** @param {{planning: boolean, steps: import("../rows.js").Step[], chosen: string, choose: (id: string) => void}} props */
function Steps({ planning, steps, chosen, choose }) {
  const [wanted, setWanted] = useState("");
  const found = wanted ? steps.filter((step) => `${step.taskId} ${step.description} ${step.toolOrPromptName}`.toLowerCase().includes(wanted.toLowerCase())) : [];
  if (!steps.length) return html`<p class="hint">${planning ? "The plan is being made." : "The run ended before it had a plan."}</p>`;
  return html`
    <div class="finder">
      <input data-search type="search" placeholder="Find a step" aria-label="Find a step" value=${wanted} onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />
      ${found.slice(0, 8).map((step) => html`<button key=${step.taskId} onClick=${() => choose(step.taskId)}>${labelOf(step)}</button>`)}
      ${wanted && !found.length && html`<span class="hint">No step matches.</span>`}
    </div>
    <${Graph} steps=${steps} chosen=${chosen} choose=${choose} />`;
}

/** @param {{run: import("../rows.js").ExecutionDetail}} props */
function Costs({ run }) {
  const costs = useLoaded(`/api/v1/dag-executions/${run.id}/costs`, { version: run.seq });
  const names = new Map(run.subSteps.map((/** @type {import("../rows.js").Step} */ step) => [step.taskId, labelOf(step)]));
  return html`<${Loaded} of=${costs}>${(/** @type {any} */ data) => html`
    <dl class="facts">
      <${Fact} name="Planning">${usd(data.totals.planningCostUsd)}<//>
      <${Fact} name="Steps">${usd(data.totals.executionCostUsd)}<//>
      <${Fact} name="Total">${usd(data.totals.grandTotalCostUsd)}<//>
    </dl>
    <table class="list">
      <thead><tr><th>Step</th><th>Tool or agent</th><th class="num">Tokens</th><th class="num">Cost</th></tr></thead>
      <tbody>
        ${data.execution.subSteps.map((/** @type {any} */ step) => html`<tr key=${step.taskId}>
          <td>${names.get(step.taskId) ?? step.taskId}</td><td>${step.toolOrPromptName}</td>
          <td class="num" data-label="tokens">${number(step.usage?.totalTokens)}</td><td class="num" data-label="cost">${usd(step.costUsd)}</td>
        </tr>`)}
        ${data.execution.synthesis && html`<tr><td>Report</td><td></td><td class="num" data-label="tokens">${number(data.execution.synthesis.usage?.totalTokens)}</td><td class="num" data-label="cost">${usd(data.execution.synthesis.costUsd)}</td></tr>`}
      </tbody>
    </table>
    <p class="hint">A dash: the step asked no model, or the price of its model is not known. It counts as 0.</p>`}<//>`;
}
