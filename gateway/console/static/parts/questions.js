// @ts-check
/** The open questions of a run. */

import { When } from "./components.js";
import { html } from "./html.js";
import { useLoaded } from "./loading.js";

/** Address of the page of a question. @param {string} id */
export const pageOf = (id) => `/inbox/${encodeURIComponent(id)}`;

/** @param {{runId: string, seq: number}} props */
export function OpenQuestions({ runId, seq }) {
  const asks = useLoaded(`/api/v1/asks?status=open&runId=${encodeURIComponent(runId)}`, { version: seq });
  const open = asks.data?.asks ?? [];
  if (!open.length) return null;
  return html`<section class="notice" aria-label="Waits for you">
    ${open.map((/** @type {import("../rows.js").Ask} */ ask) => html`<p key=${ask.id}><strong>${ask.kind === "approval" ? "Waits for your approval" : "Asks you"}:</strong> ${ask.title}
      ${" "}<span class="hint">step ${ask.step}, <${When} at=${ask.askedAt} />${ask.expiresAt && html`, expires <${When} at=${ask.expiresAt} />`}</span>
      ${" "}<a class="button" href=${pageOf(ask.id)}>${ask.kind === "approval" ? "Decide" : "Answer"}</a></p>`)}
  </section>`;
}
