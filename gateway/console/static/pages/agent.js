// @ts-check
/** One version of an agent: its prompt, which can be saved as a new version. */

import { post } from "../parts/api.js";
import { Fact, Loaded, Problem, When } from "../parts/components.js";
import { html, useState } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { navigate } from "../parts/router.js";

const LIST = { title: "Agents", href: "/agents" };

/** @param {{id: string}} props */
export default function Agent({ id }) {
  const agent = useLoaded(`/api/v1/agents/${id}`);
  const [error, setError] = useState(/** @type {any} */ (null));
  return html`<${Loaded} of=${agent} back=${LIST}>${(/** @type {any} */ data) => {
    /** @param {any} event */
    const save = async (event) => {
      event.preventDefault();
      const given = Object.fromEntries(new FormData(event.target));
      setError(null);
      try {
        const body = { name: data.name, provider: data.provider ?? undefined, model: data.model ?? undefined, metadata: data.metadata };
        const made = await post("/api/v1/agents", { ...body, version: given.version, promptTemplate: given.prompt });
        navigate(`/agents/${made.id}`);
      } catch (problem) {
        setError(problem);
      }
    };
    return html`
      <p class="crumb"><a href="/agents">Agents</a></p><h1>${data.name} ${data.version}</h1>
      <dl class="facts"><${Fact} name="Active">${data.active ? "yes" : "no"}<//><${Fact} name="Model">${data.model ?? "the default"}<//><${Fact} name="Changed"><${When} exact at=${data.updatedAt} /><//></dl>
      <form class="stack" onSubmit=${save}>
        <label>Prompt<textarea name="prompt" rows="24" required spellcheck="false">${data.promptTemplate}</textarea></label>
        <label>Version <input name="version" required placeholder="2.0.0" /></label>
        <${Problem} error=${error} />
        <p class="hint">A new version is used only after you activate it. Runs that have started keep their version.</p>
        <button class="primary">Save as a new version</button>
      </form>`;
  }}<//>`;
}
