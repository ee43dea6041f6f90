// @ts-check
/** Every attempt at a step. */

import { Loaded, Status } from "./components.js";
import { duration, number, time, usd } from "./format.js";
import { html } from "./html.js";
import { useLoaded } from "./loading.js";
import { Outward } from "./outward.js";
import { Prompt } from "./prompt.js";

/** @typedef {import("../rows.js").Attempt} Attempt */

/** @param {{path: string, version: unknown}} props `path` of the step; its attempts are loaded again with a new `version` */
export function Attempts({ path, version }) {
  const attempts = useLoaded(`${path}/attempts`, { version });
  return html`<${Loaded} of=${attempts}>${(/** @type {{attempts: Attempt[]}} */ data) => data.attempts.length > 0 && html`<h3>Attempts</h3>
    ${data.attempts.map((one) => html`<details key=${one.number} class="call" open=${Boolean(one.error)}>
      <summary>${number(one.number)}. <${Status} value=${one.outcome} /> <span class="hint">${time(one.startedAt)}, ${duration(one.durationMs)}</span></summary>
      ${one.error && html`<p class="bad">${one.error}</p>`}
      <p class="hint">${facts(one).join(" · ")}</p>
      <${Outward} ruling=${one.outward} />
      ${one.untrusted && html`<p class="hint">Its result is untrusted: it comes from outside, or is made of something from outside.</p>`}
      ${one.hasPrompt && html`<${Prompt} path=${path} attempt=${one.number} />`}
    </details>`)}`}<//>`;
}

/** @param {Attempt} one */
const facts = (one) => [
  ...(one.executor ? [one.executor] : []),
  ...(one.waitedMs ? [`waited ${duration(one.waitedMs)} before it`] : []),
  ...(one.retryAt ? [`next attempt at ${time(one.retryAt)}`] : []),
  ...(one.model ? [`${one.provider} ${one.model}`] : []),
  ...(one.usage ? [`${number(one.usage.totalTokens)} tokens`] : []),
  ...(one.costUsd ? [usd(one.costUsd)] : []),
];
