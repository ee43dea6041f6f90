// @ts-check
/** Running again, but different: from a step or a turn on, with other parameters. */

import { post } from "./api.js";
import { BudgetFields, changedLimits, useBudget } from "./budget.js";
import { Action, Fact, Loaded, Unfolded } from "./components.js";
import { SYNTHESIS } from "./graph_parts.js";
import { html, useRef, useState } from "./html.js";
import { navigate } from "./router.js";
import { InvalidField, isSame } from "./schema.js";

/** @param {Promise<{executionId?: string, runId?: string}>} forked */
const open = (forked) => forked.then((made) => navigate(`/runs/${made.executionId ?? made.runId}`));

/** Fork a run of a plan from a step on. A suspended run can go on with other parameters instead. @param {{runId: string, step: import("../rows.js").Step, status: string}} props */
export function ForkStep({ runId, step, status }) {
  const before = JSON.stringify(step.toolOrPromptParams ?? {}, null, 2);
  const [text, setText] = useState(before);
  const isReport = step.taskId === SYNTHESIS;
  const corrected = () => ({ steps: { [step.taskId]: { params: parsed(text) } } });
  const changes = () => (text === before || isSame(parsed(text), step.toolOrPromptParams) ? { from: step.taskId } : corrected());
  const ways = { "Fork from here": changes, ...(status === "suspended" && !isReport && { "Go on with these parameters": () => ({ ...corrected(), replace: true }) }) };
  return html`<${RunAgain} path=${`/api/v1/dag-executions/${runId}`} ways=${ways} hint="A new run takes over every completed step that does not depend on this one. This run stays as it is.">
    ${!isReport && html`<label class="field"><span class="field-name">Parameters</span>
      <textarea rows=${Math.min(14, before.split("\n").length + 1)} value=${text} spellcheck="false" onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea></label>`}
  <//>`;
}

/** Fork a run of an agent from a turn on. @param {{runId: string, turn: number}} props */
export const ForkTurn = ({ runId, turn }) =>
  html`<${RunAgain} path=${`/api/v1/runs/${runId}`} ways=${{ "Fork from here": () => ({ from: turn }) }} hint="A new run takes over the turns before this one and takes this turn again. This run stays as it is." />`;

/**
 * A form that forks the run at `path`, with another budget if one is written. `ways` are its buttons, each with the changes
 * that it asks for. `children` are further fields.
 * @param {{path: string, ways: Record<string, () => object>, hint: string, children?: any}} props
 */
function RunAgain({ path, ways, hint, children }) {
  const form = useRef(/** @type {any} */ (null));
  const shown = useRef(/** @type {import("./budget.js").BudgetForm | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const fork = async (/** @type {() => object} */ changes) => {
    setError(null);
    try {
      await open(post(`${path}/fork`, { ...changes(), budget: changedLimits(form.current, shown.current) }));
    } catch (problem) {
      setError(problem);
      throw problem;
    }
  };
  return html`<${Unfolded} title="Run again from here"><form ref=${form} onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <p class="hint">${hint}</p>
    ${children}
    <${Unfolded} title="Budget"><${ForkBudget} path=${path} shown=${shown} error=${error} /><//>
    <div class="actions">${Object.entries(ways).map(([label, changes]) => html`<${Action} key=${label} label=${label} sure="" act=${() => fork(changes)} />`)}</div>
  </form><//>`;
}

/** @param {{path: string, shown: {current: import("./budget.js").BudgetForm | null}, error: any}} props */
function ForkBudget({ path, shown, error }) {
  const budget = useBudget(path, null);
  return html`<${Loaded} of=${budget}>${(/** @type {import("../rows.js").RunBudget} */ now) => html`
    <p class="hint">These are the limits of this run. An empty field is no limit. A fork begins with nothing spent; a run that goes on keeps what it has spent.</p>
    <${BudgetFields} shown=${shown} budget=${now} error=${error} at=${["budget"]} />`}<//>`;
}

/** Where a run comes from, and what has replaced it. @param {{run: {id: string, forkedFrom: string | null, replacedBy: string | null}}} props */
export const Forks = ({ run }) => html`
  ${run.forkedFrom && html`<${Fact} name="Forked from"><a href=${`/runs/${run.forkedFrom}`}>the original</a>, <a href=${`/compare?a=${run.forkedFrom}&b=${run.id}`}>compare</a><//>`}
  ${run.replacedBy && html`<${Fact} name="Replaced by"><a href=${`/runs/${run.replacedBy}`}>its fork</a><//>`}`;

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidField(`The parameters are not JSON: ${error instanceof Error ? error.message : error}`, "params");
  }
}
