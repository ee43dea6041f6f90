// @ts-check
/** One run: an execution of a plan, or a run of a goal by an agent. */

import { Loading, Unavailable } from "../parts/components.js";
import { html, useCallback, useEffect, useState } from "../parts/html.js";
import { kindOf } from "../parts/kinds.js";
import { AWAY_MS, isAway } from "../parts/loading.js";
import { AgentRun } from "./run_of_agent.js";
import { PlanRun } from "./run_of_plan.js";

/** @param {{id: string, query: Record<string, string>}} props */
export default function Run({ id, query }) {
  const [kind, setKind] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const load = useCallback(() => {
    setError(null);
    kindOf(id).then(setKind, setError);
  }, [id]);
  useEffect(load, [load]);
  useEffect(() => {
    if (!isAway(error)) return;
    const timer = setTimeout(load, AWAY_MS);
    return () => clearTimeout(timer);
  }, [load, error]);
  if (error) return html`<${Unavailable} error=${error} retry=${load} back=${{ title: "Runs", href: "/runs" }} />`;
  if (kind === "plan") return html`<${PlanRun} id=${id} query=${query} />`;
  return kind ? html`<${AgentRun} id=${id} query=${query} />` : html`<${Loading} />`;
}
