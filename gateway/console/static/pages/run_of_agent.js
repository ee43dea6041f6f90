// @ts-check
/** The run of a goal by an agent: a conversation of turns, its summary, outputs and events. */

import { call, post } from "../parts/api.js";
import { Attempts } from "../parts/attempts.js";
import { Budget, BudgetFact, BudgetNotice, useBudget } from "../parts/budget.js";
import { Action, Copy, Empty, Fact, Loaded, Status, Tabs, Title, Unfolded, When } from "../parts/components.js";
import { EventsLog } from "../parts/events_log.js";
import { duration, number, pretty, prettyText, usd } from "../parts/format.js";
import { ForkTurn, Forks } from "../parts/forking.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { Markdown } from "../parts/markdown.js";
import { Outward, Policy } from "../parts/outward.js";
import { OpenQuestions } from "../parts/questions.js";
import { navigate, setQuery } from "../parts/router.js";
import { WebhookFact } from "../parts/webhook.js";
import { useFollowed } from "./run_of_plan.js";

const TABS = { turns: "Turns", report: "Report", outputs: "Outputs", budget: "Budget", events: "Events" };
const OUTCOMES = {
  budget_exhausted: "The agent used all its turns before it was done.",
  truncated: "The last answer of the model was cut off.",
  calls_failed: "The last call of some tool failed.",
  nothing_done: "The agent asked for calls, but none was made.",
};

const LIST = { title: "Runs", href: "/runs?kind=goals" };

/** @param {{id: string, query: Record<string, string>}} props */
export function AgentRun({ id, query }) {
  const run = useLoaded(`/api/v1/runs/${id}`);
  const steps = useLoaded(run.data ? `/api/v1/runs/${id}/steps` : null, { version: run.data?.seq });
  const connected = useFollowed(`/api/v1/runs/${id}/events`, run);
  const tab = query.tab in TABS ? query.tab : "turns";
  const budget = useBudget(`/api/v1/runs/${id}`, tab === "budget" ? run.data?.seq : run.data?.status);
  const changed = async () => void (await Promise.all([budget.reload(), run.reload()]));
  return html`<${Loaded} of=${run} back=${LIST}>${(/** @type {import("../rows.js").Run} */ data) => html`
    <${Head} run=${data} reload=${run.reload} connected=${connected} budget=${budget.data} />
    <${BudgetNotice} budget=${budget.data} />
    ${(data.error || OUTCOMES[/** @type {keyof typeof OUTCOMES} */ (data.outcomeReason)]) && html`<div class="problem" role="alert">
      ${data.outcomeReason && data.outcomeReason in OUTCOMES && html`<p>${OUTCOMES[/** @type {keyof typeof OUTCOMES} */ (data.outcomeReason)]}</p>`}
      ${data.error && html`<p>${data.error}</p>`}
    </div>`}
    ${isOpen(data) && html`<${OpenQuestions} runId=${id} seq=${data.seq} />`}
    ${data.remarks.map((/** @type {string} */ remark) => html`<p class="hint">${remark}</p>`)}
    <${Tabs} names=${TABS} chosen=${tab} choose=${(/** @type {string} */ name) => setQuery({ tab: name })} />
    <div id="tabpanel" role="tabpanel" aria-labelledby=${`tab-${tab}`} class="panel">
      ${tab === "turns" && html`<${Loaded} of=${steps}>${(/** @type {any[]} */ rows) => (rows.length ? rows.map((row) => html`<${Turn} key=${row.id} runId=${id} turn=${row} />`) : html`<p class="hint">${isOpen(data) ? "The first turn has not ended yet." : "The run ended before its first turn."}</p>`)}<//>`}
      ${tab === "report" && (data.workingMemory.summary ? html`<${Markdown} text=${String(data.workingMemory.summary)} />` : html`<p class="hint">${isOpen(data) ? "The summary is written at the end." : "The run ended without a summary."}</p>`)}
      ${tab === "outputs" && html`<${Outputs} id=${id} seq=${data.seq} />`}
      ${tab === "budget" && html`<${Budget} path=${`/api/v1/runs/${id}`} budget=${budget} changeable=${isOpen(data) || data.status === "failed"} changed=${changed} />`}
      ${tab === "events" && html`<${EventsLog} id=${id} />`}
    </div>`}<//>`;
}

/** @param {import("../rows.js").Run} run */
const isOpen = (run) => run.status === "pending" || run.status === "running";

/** @param {{run: import("../rows.js").Run, reload: () => Promise<void>, connected: boolean, budget: import("../rows.js").RunBudget | null}} props */
function Head({ run, reload, connected, budget }) {
  const ms = run.startedAt ? Date.parse(run.endedAt ?? new Date().toISOString()) - Date.parse(run.startedAt) : null;
  return html`<div class="head">
      <div>
        <p class="crumb"><a href="/runs?kind=goals">Runs</a> / <a href=${`/goals/${run.goalId}`}>Goal</a></p>
        <${Title} text=${run.goal.objective} />
      </div>
      <div class="actions">
        ${(run.status === "failed" || run.failedCalls > 0) && html`<${Action} label="Resume" kind="primary" sure="" act=${() => post(`/api/v1/runs/${run.id}/resume`).then(reload)} />`}
        ${isOpen(run) && html`<${Action} label="Cancel" sure="Really cancel" act=${() => post(`/api/v1/runs/${run.id}/cancel`).then(reload)} />`}
        ${!isOpen(run) && html`<${Action} label="Run again" sure="" act=${() => post(`/api/v1/goals/${run.goalId}/run`).then((/** @type {any} */ made) => navigate(`/runs/${made.runId}`))} />`}
        ${!isOpen(run) && html`<${Action} label="Delete" sure="Really delete" act=${() => call("DELETE", `/api/v1/runs/${run.id}`).then(() => navigate("/runs?kind=goals"))} />`}
      </div>
    </div>
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${run.status} cancelled=${run.cancelledReason} />${!connected && html` <span class="hint" role="status">reconnecting…</span>`}<//>
      <${Fact} name="Turns">${number(run.stepsExecuted)} of at most ${number(run.stepBudget)}<//>
      <${Fact} name="Took">${duration(ms)}<//>
      <${Fact} name="Cost">${usd(run.totalCostUsd)}<//>
      <${BudgetFact} budget=${budget} />
      <${Policy} run=${run} />
      <${WebhookFact} goal=${run.goal} />
      <${Fact} name="Agent">${run.agentName} ${run.agentVersion}${run.model ? ` (${run.model})` : ""}<//>
      <${Forks} run=${run} />
      <${Fact} name="Started"><${When} exact at=${run.startedAt ?? run.createdAt} /><//>
      <${Fact} name="Id"><${Copy} text=${run.id} /><//>
    </dl>`;
}

/** @param {{runId: string, turn: import("../rows.js").Turn}} props */
function Turn({ runId, turn }) {
  return html`<article class="turn">
    <header><strong>Turn ${turn.stepNo}</strong><span class="hint">${duration(turn.thoughtMs)} thinking${turn.usage ? `, ${number(turn.usage.totalTokens)} tokens` : ""}${turn.costUsd ? `, ${usd(turn.costUsd)}` : ""}</span></header>
    ${turn.thought && html`<p class="thought">${turn.thought}</p>`}
    ${turn.toolCalls.map((/** @type {any} */ call) => html`<details key=${call.id} class="call" open=${call.status === "failed"}>
      <summary><${Status} value=${call.status} /> <code>${call.toolName}</code> <span class="hint">${duration(call.durationMs)}</span></summary>
      <${Outward} ruling=${call.outward} />
      <pre>${pretty(call.toolInput)}</pre>
      ${call.error && html`<p class="bad">${call.error}</p>`}
    </details>`)}
    ${turn.observation && html`<details class="call"><summary>Results</summary><pre>${prettyText(turn.observation)}</pre></details>`}
    ${!turn.toolCalls.length && turn.content !== turn.thought && html`<p>${turn.content}</p>`}
    ${turn.error && html`<p class="bad">${turn.error}</p>`}
    <${Unfolded} title="Attempts and prompt"><${Attempts} path=${`/api/v1/runs/${runId}/steps/${turn.stepNo}`} version=${turn.id} /><//>
    <${ForkTurn} runId=${runId} turn=${turn.stepNo} />
  </article>`;
}

/** @param {{id: string, seq: number}} props */
function Outputs({ id, seq }) {
  const outputs = useLoaded(`/api/v1/runs/${id}/outputs`, { version: seq });
  return html`<${Loaded} of=${outputs}>${(/** @type {any[]} */ rows) =>
    rows.length
      ? html`<table class="list"><thead><tr><th>Kind</th><th>What</th><th>When</th></tr></thead><tbody>
          ${rows.map((row) => html`<tr key=${row.id}><td>${row.kind}${row.inherited && html` <span class="hint">inherited</span>`}</td>
            <td class="wide">${row.kind === "file" ? html`<a href=${`/artifacts?file=${encodeURIComponent(row.pathOrPayload)}`}>${row.pathOrPayload}</a>` : html`<pre>${prettyText(row.pathOrPayload)}</pre>`}</td>
            <td><${When} at=${row.createdAt} /></td></tr>`)}
        </tbody></table>`
      : html`<${Empty} title="No outputs"><p>Files, mails and webhooks of the run appear here.</p><//>`}<//>`;
}
