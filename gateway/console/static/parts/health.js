// @ts-check
/** Whether the system is ready, and what is not. */

import { useLoaded } from "./loading.js";

/** Names of parts as people know them. @type {Record<string, string>} */
const PARTS = { llm: "Model", nats: "Log (NATS)", database: "Views (database)" };

/**
 * The readiness of the system, loaded again in an interval. An answer of 503 has it, too. `data` is null while the
 * gateway does not answer: what it said before is no longer known to be true.
 * @param {number} everyMs
 */
export function useHealth(everyMs) {
  const { data, error, ...rest } = useLoaded("/health/ready", { everyMs });
  const isAnswer = error?.status === 503 && Boolean(error.body?.status);
  return { ...rest, data: isAnswer ? error.body : error ? null : data, error: isAnswer ? null : error };
}

/** What is wrong, as `part: text`. @param {Record<string, string> | undefined} problems */
export const problemsOf = (problems) => Object.entries(problems ?? {}).map(([name, text]) => `${PARTS[name] ?? name}: ${text}`);
