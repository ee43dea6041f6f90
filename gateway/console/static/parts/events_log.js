// @ts-check
/** The events of one aggregate as the log has them. */

import { useEffect, useState, html } from "./html.js";
import { follow } from "./events.js";
import { Copy, When } from "./components.js";
import { pretty, size } from "./format.js";
import { query } from "./api.js";

const MOST = 1000;

/** @param {{id: string}} props */
export function EventsLog({ id }) {
  const [rows, setRows] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    setRows([]);
    /** @type {any[]} */
    let waiting = [];
    let frame = 0;
    const show = () => {
      frame = 0;
      const more = waiting.slice(-MOST).map(rowOf);
      waiting = [];
      setRows((old) => [...old, ...more].slice(-MOST));
    };
    const stop = follow(`/api/v1/events${query({ id, after: 0 })}`, {
      onEvent: (event) => {
        waiting.push(event);
        frame ||= requestAnimationFrame(show);
      },
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [id]);
  if (!rows.length) return html`<p class="hint" role="status">Waiting for events…</p>`;
  return html`<table class="list">
    <thead><tr><th>Position</th><th>When</th><th>Type</th><th>By</th><th>Data</th></tr></thead>
    <tbody>${rows}</tbody>
  </table>`;
}

/** The row of an event. It is made once: an event never changes, and a row that is the same is not drawn again. @param {any} event */
function rowOf(event) {
  const data = event.data ?? {};
  const text = pretty(data.data ?? data) ?? "";
  return html`<tr key=${data.id ?? event.id}>
    <td class="num"><${Copy} text=${event.id} /></td>
    <td><${When} at=${data.time} /></td>
    <td><code>${data.type ?? event.type}</code></td>
    <td>${data.actor ?? data.source ?? ""}</td>
    <td><details><summary>${size(text.length)}</summary><pre>${text}</pre></details></td>
  </tr>`;
}
