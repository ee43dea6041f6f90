// @ts-check
/** What was decided about calls that send something to others. */

import { Fact } from "./components.js";
import { html } from "./html.js";

const DECISIONS = { allow: "Sent without asking", ask: "Asked first", forbid: "Not sent" };
const POLICIES = {
  allow: "are made",
  "ask-tainted": "need an approval if text from outside may have chosen where they go",
  ask: "need an approval",
  forbid: "fail",
};

/** The decision about one call. @param {{ruling: import("../rows.js").Ruling | null | undefined}} props */
export const Outward = ({ ruling }) =>
  ruling ? html`<p class="ruling"><strong>${DECISIONS[ruling.decision]}:</strong> ${ruling.reason} <span class="hint">(policy ${ruling.policy})</span></p>` : null;

/** The policy of a run, if it is stricter than that of the settings. @param {{run: {outwardCalls: keyof typeof POLICIES | null, approvals: string[]}}} props */
export const Policy = ({ run }) => html`
  ${run.outwardCalls && html`<${Fact} name="Calls that send something">${POLICIES[run.outwardCalls]}<//>`}
  ${run.approvals.length > 0 && html`<${Fact} name="Need an approval">${run.approvals.join(", ")}<//>`}`;
