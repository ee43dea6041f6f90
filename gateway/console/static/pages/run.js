// @ts-check
/** One run: an execution of a plan, or a run of a goal by an agent. */

import { Loading, Problem } from "../parts/components.js";
import { html, useEffect, useState } from "../parts/html.js";
import { kindOf } from "../parts/kinds.js";
import { AgentRun } from "./run_of_agent.js";
import { PlanRun } from "./run_of_plan.js";

/** @param {{id: string, query: Record<string, string>}} props */
export default function Run({ id, query }) {
  const [kind, setKind] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  useEffect(() => void kindOf(id).then(setKind, setError), [id]);
  if (error) return html`<div class="head"><h1>Run</h1></div><${Problem} error=${error} />`;
  if (kind === "plan") return html`<${PlanRun} id=${id} query=${query} />`;
  return kind ? html`<${AgentRun} id=${id} query=${query} />` : html`<${Loading} />`;
}
