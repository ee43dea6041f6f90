// @ts-check
/** The two kinds of runs: a plan that is executed, and an agent that works in turns. */

import { get } from "./api.js";

/** A run of a goal has a plan if its strategy is `dag`. @param {string} id @returns {Promise<"plan" | "agent">} */
export async function kindOf(id) {
  if (!id.startsWith("run_")) return "plan";
  const run = await get(`/api/v1/runs/${encodeURIComponent(id)}`);
  return run.strategy === "dag" ? "plan" : "agent";
}
