// @ts-check
/** Files that runs have written. */

import { call, download } from "../parts/api.js";
import { Action, Empty, Loaded, Problem } from "../parts/components.js";
import { html, useEffect, useState } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { Markdown } from "../parts/markdown.js";
import { setQuery } from "../parts/router.js";

/** @param {{query: Record<string, string>}} props */
export default function Artifacts({ query }) {
  const files = useLoaded("/api/v1/artifacts?recursive=true");
  const wanted = (query.find ?? "").toLowerCase();
  return html`<div class="head"><h1>Files</h1></div>
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <label>Find <input data-search type="search" value=${query.find ?? ""} onInput=${(/** @type {any} */ event) => setQuery({ find: event.target.value })} /></label>
    </form>
    <${Loaded} of=${files}>${(/** @type {string[]} */ names) => {
      const found = names.filter((name) => name.toLowerCase().includes(wanted));
      if (!names.length) return html`<${Empty} title="No files"><p>Steps that write files put them here.</p><//>`;
      return html`<div class="split"><ul class="files">
        ${found.slice(0, 500).map((name) => html`<li key=${name}><button class="link" aria-pressed=${name === query.file} onClick=${() => setQuery({ file: name })}>${name}</button></li>`)}
        ${found.length > 500 && html`<li class="hint">and ${found.length - 500} more: search for them</li>`}
      </ul>${query.file && html`<${File} key=${query.file} name=${query.file} />`}</div>`;
    }}<//>`;
}

/** @param {{name: string}} props */
function File({ name }) {
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const path = `/api/v1/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`;
  useEffect(() => {
    call("GET", path).then((answer) => setText(typeof answer === "string" ? answer : JSON.stringify(answer, null, 2)), setError);
  }, [path]);
  return html`<section class="file"><div class="head"><h2>${name}</h2><${Action} label="Download" sure="" act=${() => download(path, name.split("/").pop() ?? name)} /></div>
    <${Problem} error=${error} />
    ${text !== null && (/\.(md|markdown)$/i.test(name) ? html`<${Markdown} text=${text} />` : html`<pre>${text}</pre>`)}</section>`;
}
