// @ts-check
/** Steps as bars over time. */

import { clock, duration } from "./format.js";
import { html } from "./html.js";
import { labelOf } from "./graph_parts.js";

/** @param {{steps: import("../rows.js").Step[], choose: (id: string) => void}} props */
export function Timeline({ steps, choose }) {
  const begun = steps.flatMap((step) => (step.startedAt ? [{ ...step, from: Date.parse(step.startedAt) }] : []));
  if (!begun.length) return html`<p class="hint">No step has started yet.</p>`;
  const start = Math.min(...begun.map((step) => step.from));
  const end = Math.max(start + 1, ...begun.map((step) => (step.completedAt ? Date.parse(step.completedAt) : Date.now())));
  const share = (/** @type {number} */ ms) => `${((ms / (end - start)) * 100).toFixed(3)}%`;
  return html`<div class="timeline">
    <div class="axis"><span>${clock(new Date(start).toISOString())}</span><span>${duration(end - start)}</span></div>
    ${begun.map((step) => {
      const to = step.completedAt ? Date.parse(step.completedAt) : Date.now();
      return html`<button key=${step.taskId} class="row" onClick=${() => choose(step.taskId)}>
        <span class="name">${labelOf(step)}</span>
        <span class="track"><span class=${`bar ${step.status}`} style=${{ left: share(step.from - start), width: share(Math.max(to - step.from, 1)) }}></span></span>
        <span class="num">${duration(to - step.from)}${(step.attempt ?? 1) > 1 ? ` · ${step.attempt} attempts` : ""}</span>
      </button>`;
    })}
  </div>`;
}
