// @ts-check
/** The events of one aggregate as the log has them. */

import { useEffect, useState, html } from "./html.js";
import { follow } from "./events.js";
import { pretty, size, time } from "./format.js";
import { query } from "./api.js";

/** Rows that are shown: the newest. More of them would make the page slow while events arrive. */
const MOST = 150;
/** Pause between two changes of the page, in which all events that arrive are collected. */
const PAUSE_MS = 250;

/** @param {{id: string}} props */
export function EventsLog({ id }) {
  const [rows, setRows] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    setRows([]);
    /** @type {any[]} */
    let waiting = [];
    let timer = 0;
    const show = () => {
      timer = 0;
      const more = waiting.slice(-MOST).map(rowOf);
      waiting = [];
      setRows((old) => [...old, ...more].slice(-MOST));
    };
    const stop = follow(`/api/v1/events${query({ id, after: 0 })}`, {
      onEvent: (event) => {
        waiting.push(event);
        timer ||= setTimeout(show, PAUSE_MS);
      },
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [id]);
  if (!rows.length) return html`<p class="hint" role="status">Waiting for events…</p>`;
  return html`${rows.length === MOST && html`<p class="hint">The newest ${MOST} events. All are at <code>/api/v1/events?id=${id}&after=0</code>.</p>`}
  <table class="list events">
    <thead><tr><th>Position</th><th>When</th><th>Type</th><th>By</th><th>Data</th></tr></thead>
    <tbody>${rows}</tbody>
  </table>`;
}

/** The row of an event. It is made once: an event never changes, and a row that is the same is not drawn again. @param {any} event */
function rowOf(event) {
  const data = event.data ?? {};
  const text = pretty(data.data ?? data) ?? "";
  return html`<tr key=${data.id ?? event.id}>
    <td data-label=${event.id ? "position" : null}>${event.id}</td>
    <td>${data.time ? time(data.time) : ""}</td>
    <td><code>${data.type ?? event.type}</code></td>
    <td>${data.actor ?? data.source ?? ""}</td>
    <td><details onToggle=${(/** @type {any} */ toggled) => (toggled.currentTarget.lastChild.textContent = text)}><summary>${size(text.length)}</summary><pre></pre></details></td>
  </tr>`;
}
