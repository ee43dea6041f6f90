// @ts-check
/** One goal: run it, pause it, its schedules with their next times, its runs, and what it remembers. */

import { call, post } from "../parts/api.js";
import { Action, Copy, Fact, Loaded, Problem, Status, Title, When } from "../parts/components.js";
import { ZONE, plain, time, timeIn } from "../parts/format.js";
import { html, useState } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";
import { navigate } from "../parts/router.js";
import { Webhook } from "../parts/webhook.js";
import { Table } from "./runs.js";

const LIST = { title: "Goals", href: "/goals" };

/** @param {{id: string}} props */
export default function Goal({ id }) {
  const path = `/api/v1/goals/${id}`;
  const goal = useLoaded(path);
  const runs = useLoaded(`/api/v1/runs?limit=20&goalId=${id}`);
  const memories = useLoaded(`${path}/memories?limit=20`);
  return html`<${Loaded} of=${goal} back=${LIST}>${(/** @type {any} */ data) => html`
    <div class="head">
      <div><p class="crumb"><a href="/goals">Goals</a></p><${Title} text=${data.objective} /></div>
      <div class="actions">
        <${Action} label="Run now" kind="primary" sure="" act=${() => post(`${path}/run`).then((/** @type {any} */ made) => navigate(`/runs/${made.runId}`))} />
        ${data.status === "active" && html`<${Action} label="Pause" sure="" act=${() => post(`${path}/pause`).then(goal.reload)} />`}
        ${data.status === "paused" && html`<${Action} label="Resume" sure="" act=${() => post(`${path}/resume`).then(goal.reload)} />`}
        <${Action} label="Delete" sure="Really delete, with its runs" act=${() => call("DELETE", path).then(() => navigate("/goals"))} />
      </div>
    </div>
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${data.status} /><//>
      <${Fact} name="Agent">${data.agent ? `${data.agent.name} ${data.agent.version}` : "–"}<//>
      <${Fact} name="Mode">${data.params.strategy === "dag" ? "plan" : "agent in turns"}<//>
      <${Fact} name="Created"><${When} exact at=${data.createdAt} /><//>
      <${Fact} name="Id"><${Copy} text=${data.id} /><//>
    </dl>
    <h2>Schedules</h2>
    ${!data.schedules.length && html`<p class="hint">The goal runs when you press Run now. With a schedule, it runs by itself: <code>0 8 * * 1-5</code> is 8:00 from Monday to Friday.</p>`}
    ${data.schedules.map((/** @type {any} */ schedule) => html`<${Schedule} key=${schedule.id} goalPath=${path} schedule=${schedule} reload=${goal.reload} />`)}
    <${AddSchedule} path=${path} reload=${goal.reload} />
    <${Webhook} path=${path} goal=${data} changed=${goal.reload} />
    <h2>Runs</h2>
    <${Loaded} of=${runs}>${(/** @type {any[]} */ rows) => (rows.length ? html`<${Table} rows=${rows} kind="goals" />` : html`<p class="hint">It has not run yet.</p>`)}<//>
    <h2>What it remembers</h2>
    <${Loaded} of=${memories}>${(/** @type {any} */ rows) => (rows.length ? html`<ul>${rows.map((/** @type {any} */ one) => html`<li key=${one.id} dir="auto">${plain(one.content)} <span class="hint"><${When} at=${one.createdAt} /></span></li>`)}</ul>` : html`<p class="hint">Nothing yet.</p>`)}<//>
  `}<//>`;
}

/** @param {{goalPath: string, schedule: any, reload: () => Promise<void>}} props */
function Schedule({ goalPath, schedule, reload }) {
  const path = `${goalPath}/schedules/${schedule.id}`;
  const next = useLoaded(`/api/v1/schedules/${schedule.id}/next?count=3`);
  const { paused } = schedule;
  const ticks = next.data?.next ?? [];
  return html`<div class="card">
    <div class="head"><p><code>${schedule.cronExpr}</code> in ${schedule.timezone}${paused ? ", paused" : ""}</p>
      <div class="actions">
        <${Action} label=${paused ? "Resume" : "Pause"} sure="" act=${() => call("PATCH", path, { paused: !paused }).then(reload)} />
        <${Action} label="Remove" sure="Really remove" act=${() => call("DELETE", path).then(reload)} />
      </div></div>
    ${ticks.length > 0 && html`<p class="hint">Next runs</p><ul class="ticks">${ticks.map((/** @type {string} */ tick) => html`<li key=${tick}>${time(tick)}${schedule.timezone !== ZONE && html` <span class="hint">${timeIn(tick, schedule.timezone)}</span>`}</li>`)}</ul>`}
  </div>`;
}

/** @param {{path: string, reload: () => Promise<void>}} props */
function AddSchedule({ path, reload }) {
  const [error, setError] = useState(/** @type {any} */ (null));
  /** @param {any} event */
  const submit = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    setError(null);
    try {
      await post(`${path}/schedules`, { cronExpr: given.get("cron"), timezone: given.get("zone") });
      event.target.reset();
      await reload();
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<form class="inline" onSubmit=${submit}>
    <label>Cron <input name="cron" required placeholder="0 8 * * 1-5" /></label>
    <label>Time zone <input name="zone" required value=${ZONE} /></label>
    <button>Add schedule</button><${Problem} error=${error} />
  </form>`;
}
