// @ts-check
/** Markdown as safe HTML: text and links, nothing that loads or runs. */

import { html, useEffect, useState } from "./html.js";

const TAGS = [
  "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "code", "em", "strong", "b",
  "i", "u", "s", "del", "ins", "sub", "sup", "kbd", "mark", "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
];
const ATTRIBUTES = ["href", "title", "align", "colspan", "rowspan", "start", "open"];

/** @param {{text: string}} props */
export function Markdown({ text }) {
  const [shown, setShown] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    let current = true;
    void safe(text).then((made) => current && setShown(made));
    return () => void (current = false);
  }, [text]);
  if (shown === null) return html`<pre>${text}</pre>`;
  return html`<div class="markdown" dangerouslySetInnerHTML=${{ __html: shown }}></div>`;
}

/** @param {string} text @returns {Promise<string>} */
async function safe(text) {
  const [{ marked }, { default: purify }] = await Promise.all([import("../vendor/marked.js"), import("../vendor/dompurify.js")]);
  const made = await marked.parse(text, { async: true });
  return purify.sanitize(made, { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ATTRIBUTES, ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false });
}
