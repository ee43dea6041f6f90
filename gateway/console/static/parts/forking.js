// @ts-check
/** Running again, but different: from a step or a turn on, with other parameters. */

import { post } from "./api.js";
import { Action, Fact } from "./components.js";
import { SYNTHESIS } from "./graph_parts.js";
import { html, useState } from "./html.js";
import { navigate } from "./router.js";
import { InvalidField, isSame } from "./schema.js";

/** @param {Promise<{executionId?: string, runId?: string}>} forked */
const open = (forked) => forked.then((made) => navigate(`/runs/${made.executionId ?? made.runId}`));

/** Fork a run of a plan from a step on. A suspended run can go on with other parameters instead. @param {{runId: string, step: import("../rows.js").Step, status: string}} props */
export function ForkStep({ runId, step, status }) {
  const before = JSON.stringify(step.toolOrPromptParams ?? {}, null, 2);
  const [text, setText] = useState(before);
  const isReport = step.taskId === SYNTHESIS;
  const changes = () => {
    if (text === before) return { from: step.taskId };
    const params = parsed(text);
    return isSame(params, step.toolOrPromptParams) ? { from: step.taskId } : { steps: { [step.taskId]: { params } } };
  };
  return html`<details class="call"><summary>Run again from here</summary>
    <p class="hint">A new run takes over every completed step that does not depend on this one. This run stays as it is.</p>
    ${!isReport && html`<label class="field"><span class="field-name">Parameters</span>
      <textarea rows=${Math.min(14, before.split("\n").length + 1)} value=${text} spellcheck="false" onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea></label>`}
    <div class="actions">
      <${Action} label="Fork from here" sure="" act=${async () => open(post(`/api/v1/dag-executions/${runId}/fork`, changes()))} />
      ${status === "suspended" && !isReport && html`<${Action} label="Go on with these parameters" sure="" act=${async () => open(post(`/api/v1/resume-dag/${runId}`, { steps: { [step.taskId]: { params: parsed(text) } } }))} />`}
    </div>
  </details>`;
}

/** Fork a run of an agent from a turn on. @param {{runId: string, turn: number}} props */
export const ForkTurn = ({ runId, turn }) =>
  html`<${Action} label="Fork from here" sure="" act=${() => open(post(`/api/v1/runs/${runId}/fork`, { from: turn }))} />`;

/** Where a run comes from, and what has replaced it. @param {{run: {id: string, forkedFrom: string | null, replacedBy: string | null}}} props */
export const Forks = ({ run }) => html`
  ${run.forkedFrom && html`<${Fact} name="Forked from"><a href=${`/runs/${run.forkedFrom}`}>the original</a>, <a href=${`/compare?a=${run.forkedFrom}&b=${run.id}`}>compare</a><//>`}
  ${run.replacedBy && html`<${Fact} name="Replaced by"><a href=${`/runs/${run.replacedBy}`}>its fork</a><//>`}`;

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidField(`The parameters are not JSON: ${error instanceof Error ? error.message : error}`);
  }
}
