// @ts-check
/** Values as text, in the language and time zone of the browser. */

const CLOCK_PARTS = /** @type {const} */ ({ hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const DATE_PARTS = /** @type {const} */ ({ year: "numeric", month: "short", day: "numeric", ...CLOCK_PARTS });
const DATE = new Intl.DateTimeFormat(undefined, DATE_PARTS);
const CLOCK = new Intl.DateTimeFormat(undefined, CLOCK_PARTS);
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const NUMBER = new Intl.NumberFormat();

/** Name of the browser's time zone, such as `Europe/Berlin`. */
export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Date and time with the zone, whose offset is that of the date. @param {string | null | undefined} iso */
export const time = (iso) => (iso ? DATE.format(new Date(iso)) : "–");

/** Date and time in another zone. @param {string} iso @param {string} timeZone */
export const timeIn = (iso, timeZone) => new Intl.DateTimeFormat(undefined, { ...DATE_PARTS, timeZone }).format(new Date(iso));

/** Time of the day with the zone. @param {string} iso */
export const clock = (iso) => CLOCK.format(new Date(iso));

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** The distance from now: `3 minutes ago`. @param {string | null | undefined} iso */
export function ago(iso) {
  if (!iso) return "–";
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return RELATIVE.format(Math.round(seconds / size), unit);
}

/** A duration: `340 ms`, `2.4 s`, `3 min 5 s`, `2 h 4 min`. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

/** An exact amount of dollars. @param {string | null | undefined} text */
export function usd(text) {
  if (text === null || text === undefined) return "–";
  const amount = Number(text);
  return amount && Math.abs(amount) < 0.01 ? `$${Number(amount.toPrecision(2))}` : `$${amount.toFixed(2)}`;
}

/** @param {number | null | undefined} value */
export const number = (value) => (value === null || value === undefined ? "–" : NUMBER.format(value));

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A value as indented JSON, or a text as it is. @param {unknown} value */
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** JSON text indented, any other text as it is. @param {string | null | undefined} text */
export function prettyText(text) {
  if (!text || !/^\s*[[{]/.test(text)) return text ?? "";
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** A text without the marks of Markdown for headings, bold text and code. @param {string} text */
export const plain = (text) => text.replace(/\*\*|`+|^#{1,6}\s+/gm, "");
