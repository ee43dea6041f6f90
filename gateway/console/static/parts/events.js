// @ts-check
/** Server-sent events over fetch, because EventSource cannot send a key. A lost stream resumes by event id. */

import { headers, noted } from "./api.js";

const PAUSES_MS = [250, 500, 1000, 2000, 5000];

/**
 * Follow a stream until `stop` is called.
 * @param {string} path
 * @param {{after?: string | number | null, onEvent: (event: {id: string, type: string, data: any}) => void,
 *          onState?: (connected: boolean) => void, onEnd?: () => void}} options
 * @returns {() => void} stop
 */
export function follow(path, { after = null, onEvent, onState = () => {}, onEnd = () => {} }) {
  const abort = new AbortController();
  let last = after === null ? null : String(after);
  let failures = 0;

  async function read() {
    const response = await fetch(path, {
      headers: { ...headers(), Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) },
      signal: abort.signal,
    });
    noted(response);
    if (response.status === 204 || isFinal(response.status)) return true;
    if (!response.ok || !response.body) throw new Error(String(response.status));
    onState(true);
    failures = 0;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parse(block);
        if (event.id) last = event.id;
        if (event.data !== null && event.type !== "heartbeat") onEvent(event);
      }
    }
  }

  async function keepReading() {
    while (!abort.signal.aborted) {
      try {
        if (await read()) return onEnd();
      } catch {
        if (abort.signal.aborted) return;
      }
      onState(false);
      const pause = PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)];
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  void keepReading();
  return () => abort.abort();
}

/** Whether trying again cannot help: the stream is gone, or the key may not read it. @param {number} status */
const isFinal = (status) => status >= 400 && status < 500 && status !== 429;

/** Parse one event of a stream. @param {string} block */
export function parse(block) {
  const event = { id: "", type: "message", data: /** @type {any} */ (null) };
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*): ?(.*)$/s.exec(line) ?? [];
    if (name === "id") event.id = value;
    else if (name === "event") event.type = value;
    else if (name === "data") data.push(value);
  }
  if (data.length) {
    const text = data.join("\n");
    try {
      event.data = JSON.parse(text);
    } catch {
      event.data = text;
    }
  }
  return event;
}
