// @ts-check
/** Steps and dependencies as shapes of a picture. */

import { duration } from "./format.js";
import { html } from "./html.js";
import { HEIGHT, WIDTH } from "./layout.js";

/** @typedef {import("./layout.js").Point} Point */

/** @param {import("../rows.js").Step} step @returns {string[]} */
export const needsOf = (step) => (step.dependencies ?? []).filter((/** @type {string} */ need) => need !== "none");

/** Id of the step that writes the report. */
export const SYNTHESIS = "__SYNTHESIS__";

/** The name of a step as people read it. @param {import("../rows.js").Step} step */
export const labelOf = (step) => (step.taskId === SYNTHESIS ? "Report" : `${step.taskId} ${step.description}`);

/** A text that changes with the steps and their dependencies, not with their status. @param {import("../rows.js").Step[]} steps */
export const shapeOf = (steps) => steps.map((step) => `${step.taskId}<${needsOf(step)}`).join(";");

/** When a step ended, in milliseconds. @param {import("../rows.js").Step} step */
export const endOf = (step) => (step.completedAt ? Date.parse(step.completedAt) : null);

/** The line of a dependency. @param {{from?: Point, to?: Point, kind: string}} props */
export const Edge = ({ from, to, kind }) => (from && to ? html`<path class=${`edge ${kind}`} d=${curve(from, to)} />` : null);

/** The box of a step. @param {{step: import("../rows.js").Step, place: Point, kind: string, choose: (id: string) => void, hover: (id: string) => void}} props */
export const StepBox = ({ step, place, kind, choose, hover }) => html`<g
  class=${`node ${step.status} ${kind}`} transform=${`translate(${place.x} ${place.y})`} tabindex="0" role="button"
  aria-label=${`${step.taskId}, ${step.toolOrPromptName}, ${step.status}`}
  onClick=${() => choose(step.taskId)}
  onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && choose(step.taskId)}
  onMouseEnter=${() => hover(step.taskId)} onMouseLeave=${() => hover("")}
>
  <title>${step.description}</title>
  <rect width=${WIDTH} height=${HEIGHT} rx="8" />
  <rect class="band" width="5" height=${HEIGHT} rx="2" />
  <g clip-path="url(#inside-node)">
    <text x="16" y="22">${cut(labelOf(step), 22)}</text>
    <text class="minor" x="16" y="41">${nameOf(step)}${timeOf(step)}</text>
  </g>
</g>`;

/** What cuts off texts that are wider than a box. */
export const InsideBox = () => html`<clipPath id="inside-node"><rect width=${WIDTH - 8} height=${HEIGHT} /></clipPath>`;

/** @param {{zoom: (factor: number) => void, fit: () => void}} props */
export const ZoomButtons = ({ zoom, fit }) => html`<div class="zoom">
  <button onClick=${() => zoom(1.25)} aria-label="Zoom in">+</button>
  <button onClick=${() => zoom(0.8)} aria-label="Zoom out">−</button>
  <button onClick=${fit}>Fit</button>
</div>`;

/** @param {import("../rows.js").Step} step */
const nameOf = (step) => (step.taskId === SYNTHESIS ? "" : `${step.toolOrPromptName} · `);
/** @param {import("../rows.js").Step} step */
const timeOf = (step) =>
  step.status === "completed" || step.status === "failed" ? duration(step.durationMs)
  : (step.attempt ?? 1) > 1 ? `attempt ${step.attempt}` : step.status;
/** @param {string} text @param {number} most */
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** @param {Point} from @param {Point} to */
function curve(from, to) {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
