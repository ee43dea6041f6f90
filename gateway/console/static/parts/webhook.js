// @ts-check
/** The webhook of a goal: the address that is told about its runs, and about what. */

import { call } from "./api.js";
import { Fact, Problem } from "./components.js";
import { html, useState } from "./html.js";

/** @typedef {{webhookUrl: string | null, webhookEvents: string[]}} HasWebhook */

/** What a webhook can be told about. @type {Record<string, string>} */
const EVENTS = { ended: "each end of a run", asked: "each question to a person" };

/** The webhook of a run, if it has one. @param {{goal: HasWebhook}} props */
export const WebhookFact = ({ goal }) =>
  goal.webhookUrl ? html`<${Fact} name="Webhook"><code>${goal.webhookUrl}</code> is told of ${goal.webhookEvents.map((name) => EVENTS[name]).join(" and ")}<//>` : null;

/** Shows and changes the webhook of a goal. @param {{path: string, goal: HasWebhook, changed: () => Promise<void>}} props */
export function Webhook({ path, goal, changed }) {
  const [state, setState] = useState(/** @type {{error?: any, saved?: boolean, busy?: boolean}} */ ({}));
  /** @param {any} event */
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true });
    try {
      await call("PATCH", path, webhookIn(event.target, null));
      await changed();
      setState({ saved: true });
    } catch (error) {
      setState({ error });
    }
  };
  return html`<h2>Webhook</h2><form class="stack" onSubmit=${submit} onInput=${() => setState({})}>
    <${WebhookFields} goal=${goal} />
    <p class="hint">Runs in progress keep the webhook that they started with. An empty URL removes it.</p>
    <${Problem} error=${state.error} />
    <div class="actions"><button disabled=${state.busy}>Save the webhook</button><span role="status">${state.saved ? "Saved." : ""}</span></div>
  </form>`;
}

/** @param {{goal?: HasWebhook}} props */
export const WebhookFields = ({ goal }) => html`
  <label class="field"><span class="field-name">Webhook URL <span class="hint">optional</span></span>
    <input name="webhookUrl" type="url" defaultValue=${goal?.webhookUrl ?? ""} />
    <span class="hint">The server sends a POST to this address.</span></label>
  <fieldset class="choice"><legend>The webhook is told of</legend>
    ${Object.entries(EVENTS).map(([name, text]) => html`<label key=${name}><input type="checkbox" name="webhookEvents" value=${name} defaultChecked=${(goal?.webhookEvents ?? ["ended"]).includes(name)} /> ${text}</label>`)}
  </fieldset>`;

/** The webhook that is written into a form, as the API takes it. Without a URL there are no events. @template N
 * @param {HTMLFormElement} form @param {N} none stands for no URL */
export function webhookIn(form, none) {
  const given = new FormData(form);
  const url = String(given.get("webhookUrl") ?? "").trim();
  return url ? { webhookUrl: url, webhookEvents: given.getAll("webhookEvents") } : { webhookUrl: none };
}
