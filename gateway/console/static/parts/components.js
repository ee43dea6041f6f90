// @ts-check
/** Small components that every page uses. */

import { ago, time } from "./format.js";
import { html, useEffect, useState } from "./html.js";


/** A status as a word with a colour and a shape. `remark`: what did not work, although the run completed.
 * @param {{value: string, cancelled?: boolean, remark?: string | null, title?: string | null}} props */
export function Status({ value, cancelled = false, remark = null, title = null }) {
  const shown = cancelled ? "cancelled" : value;
  return html`<span class=${`status ${shown} ${remark ? "remarked" : ""}`} title=${title}><i aria-hidden="true"></i>${shown}${remark && `, ${remark}`}</span>`;
}

/** A time as its distance from now. The exact time is shown on hover, or beside it if it is `exact`.
 * @param {{at: string | null, none?: string, exact?: boolean}} props */
export function When({ at, none = "–", exact = false }) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), 10_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return none;
  return html`<time datetime=${at} title=${time(at)}>${exact ? html`${time(at)} <span class="hint">${ago(at)}</span>` : ago(at)}</time>`;
}

/** An error of the API. @param {{error: any, retry?: () => void}} props */
export function Problem({ error, retry }) {
  if (!error) return null;
  return html`<div class="problem" role="alert">
    <p>${error.message}</p>
    ${retry && html`<button onClick=${retry}>Try again</button>`}
  </div>`;
}

/** What to do when there is nothing to show. @param {{title: string, children?: any}} props */
export const Empty = ({ title, children }) => html`<div class="empty"><h2>${title}</h2>${children}</div>`;

/** A placeholder that appears only if loading takes longer than 200 ms. */
export function Loading() {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return html`<p class="loading" role="status">${slow ? "Loading…" : ""}</p>`;
}

/** Where a page of one thing belongs: the list of such things. @typedef {{title: string, href: string}} List */

/** Instead of a page that could not be loaded: why, and the way back. @param {{error: any, retry?: () => void, back: List}} props */
export function Unavailable({ error, retry, back }) {
  const isMissing = error.status === 404;
  return html`<p class="crumb"><a href=${back.href}>${back.title}</a></p>
    <div class="head"><h1>${isMissing ? "Not found" : "This page could not be loaded"}</h1></div>
    ${isMissing ? html`<p class="cause">${error.message}</p><p class="hint">It may have been deleted, or the address is incomplete. <a href=${back.href}>See all ${back.title.toLowerCase()}</a> or <a href="/search">search</a>.</p>`
      : html`<${Problem} error=${error} retry=${retry} />`}`;
}

/** Show the data, the error, or that it is loading. With `back`, it is the whole page that is loaded.
 * @param {{of: any, back?: List, children: (data: any) => any}} props */
export function Loaded({ of, back, children }) {
  if (of.data) return html`<${Problem} error=${of.error} retry=${of.reload} />${children(of.data)}`;
  if (of.error && back) return html`<${Unavailable} error=${of.error} retry=${of.reload} back=${back} />`;
  return of.error ? html`<${Problem} error=${of.error} retry=${of.reload} />` : html`<${Loading} />`;
}

/**
 * Tabs whose choice is in the address.
 * @param {{names: Record<string, string>, chosen: string, choose: (name: string) => void}} props
 */
export function Tabs({ names, chosen, choose }) {
  const all = Object.keys(names);
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = all[(all.indexOf(chosen) + step + all.length) % all.length];
    choose(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return html`<div class="tabs" role="tablist" onKeyDown=${move}>
    ${all.map(
      (name) => html`<button
        id=${`tab-${name}`} role="tab" aria-selected=${name === chosen} aria-controls="tabpanel"
        tabindex=${name === chosen ? 0 : -1} onClick=${() => choose(name)}
      >${names[name]}</button>`,
    )}
  </div>`;
}

/** A button that asks once more before it acts. @param {{label: string, sure: string, act: () => Promise<void>, kind?: string}} props */
export function Action({ label, sure, act, kind = "" }) {
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const go = async () => {
    if (sure && !asked) return setAsked(true);
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
    setAsked(false);
  };
  return html`<span class="action">
    <button type="button" class=${kind} disabled=${busy} onClick=${go} onBlur=${() => setAsked(false)}>${asked ? sure : label}</button>
    <${Problem} error=${error} />
  </span>`;
}

/** Details whose content is made when they are opened first. @param {{title: string, children: any}} props */
export function Unfolded({ title, children }) {
  const [opened, setOpened] = useState(false);
  return html`<details class="call" onToggle=${(/** @type {any} */ event) => event.currentTarget.open && setOpened(true)}>
    <summary>${title}</summary>${opened && children}
  </details>`;
}

/** Put a text on the clipboard. Pages without TLS have no `navigator.clipboard`. @param {string} text */
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  /** @param {ClipboardEvent} event */
  const listener = (event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", listener, { once: true });
  document.execCommand("copy");
  document.removeEventListener("copy", listener);
}

/** A text that is copied on a click. @param {{text: string, label?: string}} props */
export function Copy({ text, label = text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copied(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button class="copy" title="Copy" onClick=${copy}>${label}<span role="status">${done ? " ✓ copied" : ""}</span></button>`;
}

/** The heading of the page of something that has a text, which may be long or in another script. @param {{text: string}} props */
export const Title = ({ text }) => html`<h1 class=${text.length > LONG ? "long" : null} dir="auto">${text}</h1>`;
const LONG = 160;

/** A term and its value. @param {{name: string, children: any}} props */
export const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

