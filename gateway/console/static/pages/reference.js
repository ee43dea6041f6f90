// @ts-check
/** The API reference, which the gateway makes of its code. It is loaded here because a plain link could not send a key. */

import { download, get } from "../parts/api.js";
import { Loading, Problem } from "../parts/components.js";
import { html, useEffect, useRef, useState } from "../parts/html.js";

/** The colours of the console under the names of the reference. */
const COLOURS = ":host { --quiet: var(--minor); --ground: var(--card); --shade: var(--code); --accent: var(--link); display: block; } :host > div { display: grid; grid-template-columns: 17rem minmax(0, 1fr); overflow-x: auto; } main > h1 { display: none; }";
const NARROW = "@media (max-width: 820px) { :host > div { display: block; } nav { display: none; } main { padding: 0; } }";

export default function Reference() {
  const ref = useRef(/** @type {any} */ (null));
  const [state, setState] = useState(/** @type {{error?: any, done?: boolean}} */ ({}));
  useEffect(() => {
    get("/docs").then((page) => {
      show(ref.current, page);
      setState({ done: true });
    }).catch((error) => setState({ error }));
  }, []);
  return html`<div class="head"><h1>API</h1></div>
    <${Problem} error=${state.error} />${!state.done && !state.error && html`<${Loading} />`}
    <div class="reference" ref=${ref}></div>`;
}

/** Put the page into a tree of its own, so that its styles and ids meet nothing else. @param {HTMLElement} host @param {string} page */
function show(host, page) {
  const parsed = new DOMParser().parseFromString(page, "text/html");
  const style = new CSSStyleSheet();
  const own = (parsed.querySelector("style")?.textContent ?? "").replace(/@media \(prefers-color-scheme: dark\) \{\s*:root \{[^}]*\}\s*\}|:root \{[^}]*\}/g, "").replaceAll("body {", ".body {");
  style.replaceSync(own + COLOURS + NARROW);
  const tree = host.attachShadow({ mode: "open" });
  tree.adoptedStyleSheets = [style];
  const inside = document.createElement("div");
  inside.append(...[...parsed.body.children].map((child) => document.importNode(child, true)));
  tree.append(inside);
  tree.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target.closest("a")?.getAttribute("href") : null;
    if (!target) return;
    event.preventDefault();
    if (target.startsWith("#")) tree.getElementById(target.slice(1))?.scrollIntoView();
    else void download(target, target.split("/").pop() ?? "");
  });
}
