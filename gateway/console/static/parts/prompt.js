// @ts-check
/** What an attempt sent to a model. */

import { Copy, Loaded, Unfolded } from "./components.js";
import { number, pretty } from "./format.js";
import { html } from "./html.js";
import { useLoaded } from "./loading.js";

/** @param {{path: string, attempt: number}} props `path` of the step */
export const Prompt = ({ path, attempt }) => html`<${Unfolded} title="What the model was sent"><${Messages} path=${`${path}/prompt?attempt=${attempt}`} /><//>`;

/** @param {{path: string}} props */
function Messages({ path }) {
  const prompt = useLoaded(path);
  return html`<${Loaded} of=${prompt}>${(/** @type {import("../rows.js").StepPrompt} */ data) => html`
    <p class="hint">${[data.model, ...Object.entries(data.parameters).map(([name, value]) => `${name} ${JSON.stringify(value)}`)].join(" · ")} <${Copy} text=${JSON.stringify(data, null, 2)} label="copy all" /></p>
    ${data.messages.map((message, index) => html`<div key=${index} class="message"><h4>${message.role}</h4>
      ${message.content && html`<pre>${pretty(message.content)}</pre>`}
      ${message.tool_calls && html`<pre>${pretty(message.tool_calls)}</pre>`}</div>`)}
    ${data.tools.length > 0 && html`<details class="call"><summary>${number(data.tools.length)} tools</summary><pre>${pretty(data.tools)}</pre></details>`}`}<//>`;
}
