// @ts-check
/** Questions of runs to a person: what must be approved or answered. */

import { query as text } from "../parts/api.js";
import { Status, When } from "../parts/components.js";
import { html } from "../parts/html.js";
import { ListTable, useList } from "../parts/list.js";
import { pageOf } from "../parts/questions.js";
import { setQuery } from "../parts/router.js";
import { useLiveReload } from "./runs.js";

const STATUSES = ["open", "approved", "rejected", "answered", "expired", "withdrawn"];

/** @param {{query: Record<string, string>}} props */
export default function Inbox({ query }) {
  const status = query.status ?? "open";
  const list = useList(`/api/v1/asks${text({ limit: 50, status: status === "all" ? "" : status })}`, "asks");
  useLiveReload(list.reload);
  return html`
    <div class="head"><h1>Inbox</h1></div>
    <form class="filters"><label>Status
      <select value=${status} onChange=${(/** @type {any} */ event) => setQuery({ status: event.target.value })}>
        ${STATUSES.map((name) => html`<option value=${name}>${name}</option>`)}<option value="all">all</option>
      </select></label></form>
    <${ListTable} of=${list} heads=${html`<th>Status</th><th>What</th><th>Kind</th><th>Tool</th><th>Asked</th><th>Expires</th>`} empty=${status === "open" ? "Nothing waits for you" : "No questions"}
      row=${(/** @type {import("../rows.js").Ask} */ ask) => html`<tr key=${ask.id}>
        <td><${Status} value=${ask.status} /></td>
        <td class="wide"><a class="row-link" dir="auto" href=${pageOf(ask.id)}>${ask.title}</a></td>
        <td>${ask.kind}</td><td><code>${ask.tool}</code></td>
        <td data-label="asked"><${When} at=${ask.askedAt} /></td>
        <td data-label=${ask.closedAt ? null : "expires"}>${ask.closedAt ? "" : html`<${When} at=${ask.expiresAt} none="never" />`}</td></tr>`}>
      <p>When a run needs your approval or has a question, it stops here until you answer.</p>
      <p class="hint">A step with <code>"approval": true</code> waits here before its tool is called, and the tool <code>askHuman</code> asks here.</p>
    <//>`;
}
