// @ts-check
/** The budget of a run: what is allowed, used and left, and a form that changes it. */

import { post } from "./api.js";
import { Fact, Loaded, Problem } from "./components.js";
import { duration, number, usd } from "./format.js";
import { html, useRef, useState } from "./html.js";
import { LIMITS } from "./limits.js";
import { useLoaded } from "./loading.js";
import { setQuery } from "./router.js";
import { valueOf } from "./schema.js";
import { SchemaFields, useFieldsOf, writtenIn } from "./schema_form.js";

/** @typedef {import("../rows.js").RunBudget} RunBudget */
/** @typedef {import("../rows.js").LimitRow} LimitRow */

/** From this part of a limit on, the run warns. */
const WARNED = 0.8;

/** @type {Record<string, (amount: string) => string>} */
const AMOUNTS = { usd, tokens: (text) => number(Number(text)), seconds: (text) => duration(Number(text) * 1000), steps: (text) => number(Number(text)) };

/** The budget of a run, loaded again with a new `version`. @param {string} path of the run @param {unknown} version */
export const useBudget = (path, version) => useLoaded(`${path}/budget`, { version });

/** The used part of a limit, from 0 to 1. @param {LimitRow} row */
const partOf = ({ allowed, spent }) => {
  if (allowed === null) return 0;
  return Number(allowed) ? Math.min(1, Number(spent) / Number(allowed)) : 1;
};

/** Limits that are set. @param {RunBudget} budget */
const setLimits = (budget) => budget.limits.filter((row) => row.allowed !== null);

/** The limit that is used most, as a fact. @param {{budget: RunBudget | null}} props */
export function BudgetFact({ budget }) {
  const [most] = budget ? setLimits(budget).sort((a, b) => partOf(b) - partOf(a)) : [];
  if (!most) return null;
  return html`<${Fact} name="Budget"><button class=${`link ${colourOf(most)}`} onClick=${() => setQuery({ tab: "budget" })}>${usedOf(most)}</button><//>`;
}

/** @param {LimitRow} row */
const colourOf = (row) => (partOf(row) >= 1 ? "bad" : partOf(row) >= WARNED ? "warned" : "");

/** @param {LimitRow} row */
const usedOf = ({ limit, allowed, spent }) => `${AMOUNTS[limit](spent)} of ${AMOUNTS[limit](String(allowed))}${limit === "tokens" || limit === "steps" ? ` ${limit}` : ""}`;

/** What to do when the budget has stopped a run. @param {{budget: RunBudget | null}} props */
export const BudgetNotice = ({ budget }) =>
  budget?.reached
    ? html`<section class="notice" aria-label="Budget"><p><strong>The budget has stopped this run.</strong> It goes on when you raise it.
        ${" "}<button class="primary" onClick=${() => setQuery({ tab: "budget" })}>Raise the budget</button></p></section>`
    : null;

/** All limits, and a form that changes them while the run has not ended. @param {{path: string, budget: any, changeable: boolean, changed: () => Promise<void>}} props */
export const Budget = ({ path, budget, changeable, changed }) => html`<${Loaded} of=${budget}>${(/** @type {RunBudget} */ data) => html`
  <div class="limits">${data.limits.map((row) => html`<div key=${row.limit} class="card">
    <p><strong>${LIMITS[row.limit]}</strong> <span class=${colourOf(row)}>${row.allowed === null ? `${AMOUNTS[row.limit](row.spent)} used, no limit` : `${usedOf(row)} used`}</span></p>
    ${row.allowed !== null && html`<span class=${`meter ${colourOf(row)}`}><span style=${{ width: `${partOf(row) * 100}%` }}></span></span>`}
  </div>`)}</div>
  ${changeable ? html`<${Change} key=${data.limits.map((row) => row.allowed).join()} path=${path} data=${data} changed=${changed} />` : html`<p class="hint">The run has ended, so its budget cannot be changed.</p>`}
`}<//>`;

/** The fields of a budget that are shown, and the limits that they begin with. @typedef {{fields: any[], now: Record<string, unknown>}} BudgetForm */

/**
 * Fields for a budget that begin with the limits of a run, as a part of the form around them.
 * @param {{shown: {current: BudgetForm | null}, budget: RunBudget, error: any, at?: string[]}} props `shown` receives the
 *   fields, for `changedLimits`; `at` is the path of the budget in the body of the request that answered `error`
 */
export function BudgetFields({ shown, budget, error, at = [] }) {
  const now = Object.fromEntries(setLimits(budget).map((row) => [row.limit, row.limit === "usd" ? row.allowed : Number(row.allowed)]));
  const fields = useFieldsOf((schemas) => schemas.Budget, now);
  shown.current = fields.data && { fields: fields.data, now };
  return html`<${Loaded} of=${fields}>${(/** @type {any} */ all) => html`<${SchemaFields} fields=${all} label="Budget" names=${LIMITS} error=${error} at=${at} />`}<//>`;
}

/** The limits that were changed in a form, as the API takes them: null removes one. Undefined: none was changed.
 * @param {HTMLFormElement} form @param {BudgetForm | null} shown */
export function changedLimits(form, shown) {
  if (!shown) return undefined;
  const wanted = valueOf(shown.fields, writtenIn(form));
  const changes = Object.keys(LIMITS).filter((name) => String(wanted[name] ?? "") !== String(shown.now[name] ?? ""));
  return changes.length ? Object.fromEntries(changes.map((name) => [name, wanted[name] ?? null])) : undefined;
}

/** @param {{path: string, data: RunBudget, changed: () => Promise<void>}} props */
function Change({ path, data, changed }) {
  const shown = useRef(/** @type {BudgetForm | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  /** @param {any} event */
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await post(`${path}/budget`, changedLimits(event.target, shown.current));
      await changed();
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return html`<h2>Change the budget</h2><form class="stack" onSubmit=${submit}>
    <${BudgetFields} shown=${shown} budget=${data} error=${error} />
    <p class="hint">An empty field is no limit. A run that its budget stopped goes on at once.</p>
    <${Problem} error=${error} />
    <button class="primary" disabled=${busy}>Set the budget</button>
  </form>`;
}
