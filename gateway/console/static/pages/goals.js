// @ts-check
/** All goals and their schedules. */

import { query as text } from "../parts/api.js";
import { Empty, Loaded, Status, When } from "../parts/components.js";
import { html } from "../parts/html.js";
import { useList } from "../parts/loading.js";
import { setQuery } from "../parts/router.js";

/** @param {{query: Record<string, string>}} props */
export default function Goals({ query }) {
  const list = useList(`/api/v1/goals${text({ limit: 50, status: query.status })}`, "goals");
  return html`
    <div class="head"><h1>Goals</h1><a class="button primary" href="/new">New run</a></div>
    <form class="filters"><label>Status
      <select data-search value=${query.status ?? ""} onChange=${(/** @type {any} */ event) => setQuery({ status: event.target.value })}>
        <option value="">all</option>${["active", "paused", "archived"].map((name) => html`<option value=${name}>${name}</option>`)}
      </select></label></form>
    <${Loaded} of=${list}>${(/** @type {any[]} */ rows) =>
      rows.length
        ? html`<table class="list"><thead><tr><th>Status</th><th>Goal</th><th>Schedules</th><th>Made</th></tr></thead><tbody>
            ${rows.map((goal) => html`<tr key=${goal.id}>
              <td><${Status} value=${goal.status} /></td>
              <td class="wide"><a class="row-link" href=${`/goals/${goal.id}`}>${goal.objective}</a></td>
              <td>${goal.schedules.map((/** @type {any} */ one) => html`<code>${one.cronExpr}</code> ${one.timezone} `)}</td>
              <td><${When} at=${goal.createdAt} /></td></tr>`)}
          </tbody></table>`
        : html`<${Empty} title="No goals"><p>A goal is a text that can run again and again, by hand or on a schedule.</p><a class="button primary" href="/new">Write one</a><//>`}<//>
    ${list.more && html`<button class="more" onClick=${list.more}>Show more</button>`}`;
}
