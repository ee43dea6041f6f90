// @ts-check
/** Markdown as safe HTML: no scripts, no images of other hosts. */

import { html, useEffect, useState } from "./html.js";

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
  return purify.sanitize(made, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["img", "picture", "source", "video", "audio", "style", "form", "input", "button"],
    FORBID_ATTR: ["style", "class", "id", "name"],
  });
}
