// @ts-check
/** What a run did before it asked. */

import { Loaded } from "../parts/components.js";
import { prettyText } from "../parts/format.js";
import { labelOf } from "../parts/graph_parts.js";
import { html, useEffect, useState } from "../parts/html.js";
import { kindOf } from "../parts/kinds.js";
import { useLoaded } from "../parts/loading.js";

/** @param {{runId: string, step: string}} props */
export function Before({ runId, step }) {
  const [kind, setKind] = useState("");
  useEffect(() => void kindOf(runId).then(setKind, () => {}), [runId]);
  if (kind === "plan") return html`<${BeforeStep} runId=${runId} step=${step} />`;
  return kind ? html`<${BeforeTurn} runId=${runId} step=${step} />` : null;
}

/** The steps that the step depends on, and their results. @param {{runId: string, step: string}} props */
function BeforeStep({ runId, step }) {
  const run = useLoaded(`/api/v1/dag-executions/${runId}`);
  return html`<${Loaded} of=${run}>${(/** @type {any} */ data) => {
    const needs = data.subSteps.find((/** @type {any} */ one) => one.taskId === step)?.dependencies ?? [];
    const before = data.subSteps.filter((/** @type {any} */ one) => needs.includes(one.taskId));
    return html`<h2>What came before</h2>
      <p>${data.originalRequest}</p>
      ${before.map((/** @type {any} */ one) => html`<${Result} key=${one.taskId} title=${labelOf(one)} text=${one.error ?? one.result} />`)}`;
  }}<//>`;
}

/** The goal and the turn that asks. @param {{runId: string, step: string}} props */
function BeforeTurn({ runId, step }) {
  const run = useLoaded(`/api/v1/runs/${runId}`);
  const turns = useLoaded(`/api/v1/runs/${runId}/steps`);
  const asking = Number(step.split(".")[0]);
  return html`<h2>What came before</h2>
    ${run.data && html`<p>${run.data.goal.objective}</p>`}
    <${Loaded} of=${turns}>${(/** @type {any[]} */ rows) =>
      rows
        .filter((turn) => turn.stepNo <= asking && turn.stepNo > asking - 3)
        .map((turn) => html`<${Result} key=${turn.id} title=${`Turn ${turn.stepNo}${turn.thought ? `: ${turn.thought}` : ""}`} text=${turn.observation} />`)}<//>`;
}

/** @param {{title: string, text: string | null}} props */
const Result = ({ title, text }) => html`<details class="call" open=${(text ?? "").length < 1000}><summary>${title}</summary><pre>${text ? prettyText(text) : "–"}</pre></details>`;
