// @ts-check
/** Everything about one step, beside the page. */

import { Attempts } from "../parts/attempts.js";
import { Copy, Fact, Status } from "../parts/components.js";
import { duration, number, pretty, prettyText, time, usd } from "../parts/format.js";
import { ForkStep } from "../parts/forking.js";
import { SYNTHESIS, labelOf, needsOf } from "../parts/graph_parts.js";
import { html, useEffect, useRef } from "../parts/html.js";
import { Markdown } from "../parts/markdown.js";
import { Outward } from "../parts/outward.js";

const INHERITED = { original: "from the original", given: "given by hand" };
/** Why a result is not whole, by finish reason. */
const CUT = {
  length: "The model's answer was cut off at its maximum number of tokens. Raise DEFAULT_MAX_TOKENS, then run the step again.",
  content_filter: "A content filter of the model's provider cut the answer off.",
};

/** @param {{step: import("../rows.js").Step | undefined, run: import("../rows.js").ExecutionDetail, close: () => void}} props */
export function StepDrawer({ step, run, close }) {
  const ref = useRef(/** @type {any} */ (null));
  const id = step?.taskId;
  useEffect(() => {
    if (!id) return;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    ref.current?.focus();
    /** @param {KeyboardEvent} event */
    const listener = (event) => event.key === "Escape" && close();
    document.addEventListener("keydown", listener);
    return () => {
      document.removeEventListener("keydown", listener);
      before?.focus();
    };
  }, [id]);
  if (!step) return null;
  return html`<aside class="drawer" ref=${ref} tabindex="-1" aria-label=${labelOf(step)}>
    <div class="head"><h2>${labelOf(step)}</h2><button onClick=${close} aria-label="Close">✕</button></div>
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${step.status} /><//>
      ${step.taskId !== SYNTHESIS && html`<${Fact} name=${step.actionType === "tool" ? "Tool" : "Agent"}>${step.toolOrPromptName}<//>`}
      <${Fact} name="Attempts">${number(step.attempt)}<//>
      <${Fact} name="Took">${duration(step.durationMs)}<//>
      ${step.model && html`<${Fact} name="Model">${step.provider} ${step.model}<//>`}
      ${step.usage && html`<${Fact} name="Tokens">${number(step.usage.totalTokens)}<//>`}
      ${step.costUsd && html`<${Fact} name="Cost">${usd(step.costUsd)}<//>`}
      ${step.retryAt && html`<${Fact} name="Next attempt">${time(step.retryAt)}<//>`}
      ${step.inherited && html`<${Fact} name="Inherited">${INHERITED[step.inherited]}<//>`}
      <${Fact} name="Started">${time(step.startedAt)}<//>
      <${Fact} name="Ended">${time(step.completedAt)}<//>
    </dl>
    <${Outward} ruling=${step.outward} />
    ${step.error && html`<div class="problem" role="alert"><p>${step.error}</p></div>`}
    ${CUT[/** @type {keyof typeof CUT} */ (step.finishReason)] && html`<div class="notice"><p>${CUT[/** @type {keyof typeof CUT} */ (step.finishReason)]}</p></div>`}
    <${ForkStep} key=${id} runId=${run.id} step=${step} status=${run.status} />
    ${step.thought && html`<h3>Why</h3><p>${step.thought}</p>`}
    <h3>Parameters</h3><pre>${pretty(step.toolOrPromptParams)}</pre>
    ${needsOf(step).length ? html`<h3>Needs</h3><p>${needsOf(step).join(", ")}</p>` : null}
    ${step.result !== null && html`<h3>Result <${Copy} text=${step.result} label="copy" /></h3>${step.actionType === "inference" ? html`<${Markdown} text=${step.result} />` : html`<pre>${prettyText(step.result)}</pre>`}`}
    ${step.startedAt && html`<${Attempts} path=${`/api/v1/dag-executions/${run.id}/steps/${encodeURIComponent(step.taskId)}`} version=${run.seq} />`}
  </aside>`;
}
