// @ts-check
/** Agents: a name, its versions, and which one is active. */

import { post } from "../parts/api.js";
import { Action, Empty, Loaded, When } from "../parts/components.js";
import { html } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";

export default function Agents() {
  const agents = useLoaded("/api/v1/agents");
  return html`<div class="head"><h1>Agents</h1></div>
    <p class="hint">An agent is a prompt with a version. Runs use its active version. Open one to read its prompt or to save a new version.</p>
    <${Loaded} of=${agents}>${(/** @type {any[]} */ rows) =>
      rows.length
        ? html`<table class="list"><thead><tr><th>Agent</th><th>Version</th><th>Active</th><th>Model</th><th>Changed</th></tr></thead><tbody>
            ${rows.map((agent) => html`<tr key=${agent.id}>
              <td class="wide"><a class="row-link" href=${`/agents/${agent.id}`}>${agent.name}</a></td><td data-label="version">${agent.version}</td>
              <td>${agent.active ? "active" : html`<${Action} label="Activate" sure="" act=${() => post(`/api/v1/agents/${agent.id}/activate`).then(agents.reload)} />`}</td>
              <td>${agent.model ? `${agent.provider} ${agent.model}` : html`<span class="hint date">the default model</span>`}</td>
              <td data-label="changed"><${When} at=${agent.updatedAt} /></td></tr>`)}
          </tbody></table>`
        : html`<${Empty} title="No agents"><p>The planner makes the default agents when it starts.</p><//>`}<//>`;
}
