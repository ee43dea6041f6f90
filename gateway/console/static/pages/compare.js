// @ts-check
/** Two runs step by step, such as a fork and its original. */

import { Empty, Fact, Loaded, Status, When } from "../parts/components.js";
import { duration, number, usd } from "../parts/format.js";
import { SYNTHESIS } from "../parts/graph_parts.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { query as text } from "../parts/api.js";
import { setQuery } from "../parts/router.js";

/** @typedef {import("../rows.js").Comparison} Comparison */
/** @typedef {import("../rows.js").ComparedRun} ComparedRun */
/** @typedef {import("../rows.js").ComparedStep} ComparedStep */
/** @typedef {import("../rows.js").ComparedResult} ComparedResult */

const VERDICTS = { equal: "equal", different: "different", only_a: "only in A", only_b: "only in B", none: "none" };

/** @param {{query: Record<string, string>}} props */
export default function Compare({ query }) {
  const { a = "", b = "" } = query;
  const found = useLoaded(a && b ? `/api/v1/compare${text({ a, b })}` : null);
  /** @param {any} event */
  const submit = (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    setQuery({ a: String(given.get("a")).trim(), b: String(given.get("b")).trim() });
  };
  return html`
    <div class="head"><h1>Compare</h1></div>
    <form class="filters" onSubmit=${submit} key=${a + b}>
      <label class="grow">Run A <input name="a" required defaultValue=${a} placeholder="id of a run" autocomplete="off" /></label>
      <label class="grow">Run B <input name="b" required defaultValue=${b} placeholder="id of a run" autocomplete="off" /></label>
      <button>Compare</button>
    </form>
    ${a && b ? html`<${Loaded} of=${found}>${(/** @type {Comparison} */ data) => html`<${Result} data=${data} />`}<//>`
      : html`<${Empty} title="Compare two runs"><p>Copy their ids from their pages. The page of a fork has a link that compares it with its original.</p><//>`}`;
}

/** @param {{data: Comparison}} props */
const Result = ({ data }) => html`
  <div class="sides"><${Side} name="A" run=${data.a} /><${Side} name="B" run=${data.b} /></div>
  <dl class="facts">
    <${Fact} name="B took">${signed(data.difference.durationMs, duration)}<//>
    <${Fact} name="B used">${signed(data.difference.totalTokens, (value) => `${number(value)} tokens`)}<//>
    <${Fact} name="B cost">${signed(data.difference.costUsd === null ? null : Number(data.difference.costUsd), (value) => usd(String(value)))}<//>
    <${Fact} name="Results">${number(data.equalResults)} equal, ${number(data.differentResults)} different<//>
  </dl>
  <table class="list"><thead><tr><th>Step</th><th>A</th><th>B</th><th>Result</th></tr></thead><tbody>
    ${data.steps.map((step) => html`<tr key=${step.step}>
      <td class="wide">${step.step === SYNTHESIS ? html`<strong>Report</strong>` : html`<strong>${step.step}</strong> ${step.description} <span class="hint">${step.name}</span>`}
        ${step.result.diff && html`<${Diff} result=${step.result} />`}</td>
      <td data-label="A"><${Cell} side=${step.a} /></td><td data-label="B"><${Cell} side=${step.b} /></td>
      <td data-label="result">${VERDICTS[step.result.verdict]}</td></tr>`)}
  </tbody></table>
  ${data.a.kind === "run" && html`<h2>Summary: ${VERDICTS[data.report.verdict]}</h2>${data.report.diff && html`<${Diff} result=${data.report} />`}`}`;

/** @param {{name: string, run: ComparedRun}} props */
const Side = ({ name, run }) => html`<section class="card"><h2>${name}: <a href=${`/runs/${run.id}`}>${run.title || run.id}</a></h2>
  <p><${Status} value=${run.status} /> ${number(run.completedSteps)} of ${number(run.totalSteps)} steps, ${duration(run.durationMs)}${run.totalCostUsd ? `, ${usd(run.totalCostUsd)}` : ""}${run.model ? `, ${run.model}` : ""}</p>
  <p class="hint">Started <${When} at=${run.startedAt} />${run.forkedFrom ? ", a fork" : ""}</p></section>`;

/** @param {{side: ComparedStep | null}} props */
const Cell = ({ side }) => side ? html`<${Status} value=${side.status} /><div class="hint">${side.inherited ? `inherited (${side.inherited})` : `${duration(side.durationMs)}${side.costUsd ? `, ${usd(side.costUsd)}` : ""}`}</div>${side.error && html`<div class="bad">${side.error}</div>`}` : "–";

/** @param {{result: ComparedResult}} props */
const Diff = ({ result }) => html`<details class="call"><summary>Difference</summary>
  <pre class="diff">${(result.diff ?? "").split("\n").map((line, index) => html`<span key=${index} class=${{ "+": "added", "-": "removed" }[line[0]] ?? ""}>${`${line}\n`}</span>`)}</pre>
  ${result.truncated && html`<p class="hint">The rest is left out.</p>`}</details>`;

/** A difference with its sign. @param {number | null} value @param {(value: number) => string} shown */
const signed = (value, shown) => (value === null ? "–" : value === 0 ? "the same" : `${shown(Math.abs(value))} ${value > 0 ? "more" : "less"}`);
