// @ts-check
/** What is ready, which executors are there, which tools exist, and the newest events of the log. */

import { Fact, Loaded, Problem } from "../parts/components.js";
import { number, time } from "../parts/format.js";
import { follow } from "../parts/events.js";
import { problemsOf, useHealth } from "../parts/health.js";
import { html, useEffect, useState } from "../parts/html.js";
import { useLoaded } from "../parts/loading.js";

export default function System() {
  const ready = useHealth(10_000);
  const tools = useLoaded("/api/v1/tools");
  return html`<div class="head"><h1>System</h1></div>
    <${Loaded} of=${ready}>${(/** @type {any} */ data) => html`
      ${problemsOf({ ...data.problems, ...data.warnings }).map((message) => html`<${Problem} key=${message} error=${{ message }} />`)}
      <dl class="facts">
        <${Fact} name="State">${data.status}<//>
        <${Fact} name="Log (NATS)">${data.nats}<//>
        <${Fact} name="Views (database)">${data.database}<//>
        <${Fact} name="Commits behind">${number(data.projectorLag)}<//>
        <${Fact} name="Model">${data.llm === "ok" ? `${data.provider} ${data.model}` : data.llm}<//>
        <${Fact} name="Executors">${(data.executors ?? []).join(", ") || "none"}<//>
        <${Fact} name="Goal runs waiting">${number(data.scheduler?.queue.size)}<//>
        <${Fact} name="As of">${time(data.timestamp)}<//>
      </dl>
      <p class="hint">Everything that happens is written to the log. The pages show views that are made from it; “commits behind” says how many changes they do not show yet.</p>`}<//>
    <h2>Live log</h2><${LiveLog} />
    <h2>Tools</h2><p class="hint">What steps and agents can call.</p>
    <${Loaded} of=${tools}>${(/** @type {any[]} */ rows) => rows.map(({ function: tool }) => html`<details key=${tool.name} class="call"><summary><code>${tool.name}</code> ${tool.description}</summary><pre>${JSON.stringify(tool.parameters, null, 2)}</pre></details>`)}<//>`;
}

function LiveLog() {
  const [events, setEvents] = useState(/** @type {any[]} */ ([]));
  const [connected, setConnected] = useState(false);
  useEffect(() => {
    /** @type {any[]} */
    let waiting = [];
    let frame = 0;
    const show = () => {
      frame = 0;
      const more = waiting.reverse();
      waiting = [];
      setEvents((old) => [...more, ...old].slice(0, 50));
    };
    const stop = follow("/api/v1/events", {
      onState: setConnected,
      onEvent: (event) => {
        waiting.push(event);
        frame ||= requestAnimationFrame(show);
      },
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, []);
  return html`<p class="hint" role="status">${connected ? "Connected. New events appear here." : "Connecting…"}</p>
    <ol class="log">${events.map(({ data }) => html`<li key=${data.id}><time>${time(data.time)}</time> <code>${data.type}</code> ${data.subject}</li>`)}</ol>`;
}
