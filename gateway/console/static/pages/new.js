// @ts-check
/** Write a goal: see its plan before it runs, or let an agent pursue it in turns, or paste a plan. */

import { ApiError, get, post } from "../parts/api.js";
import { Problem, Unfolded } from "../parts/components.js";
import { Graph } from "../parts/graph.js";
import { html, useRef, useState } from "../parts/html.js";
import { Limits, limitsIn } from "../parts/limits.js";
import { useLoaded } from "../parts/loading.js";
import { navigate, setQuery } from "../parts/router.js";
import { WebhookFields, webhookIn } from "../parts/webhook.js";

/** The newest built-in planner. */
const PLANNER = "DecomposerV8";
const WAYS = {
  plan: "Make a plan first, and show it to me",
  agent: "Let an agent work on it in turns",
  job: "I have a plan as JSON",
};

/** A plan that needs no model. */
const EXAMPLE = JSON.stringify(
  {
    original_request: "Write a greeting and read it back",
    intent: { primary: "greet", sub_intents: [] },
    entities: [],
    sub_tasks: [
      { id: "write", description: "Write the greeting", thought: "The next step reads it.", action_type: "tool", tool_or_prompt: { name: "writeFile", params: { path: "greeting.md", content: "Hello!" } }, expected_output: "a file", dependencies: [] },
      { id: "read", description: "Read the greeting back", thought: "So we know that it was written.", action_type: "tool", tool_or_prompt: { name: "readFile", params: { path: "greeting.md" } }, expected_output: "the text", dependencies: ["write"] },
    ],
  },
  null,
  2,
);

/** @param {{query: Record<string, string>}} props */
export default function New({ query }) {
  const way = query.way in WAYS ? query.way : "plan";
  return html`
    <div class="head"><h1>New run</h1></div>
    <fieldset class="choice"><legend>How it works</legend>
      ${Object.entries(WAYS).map(([name, title]) => html`<label><input type="radio" name="way" checked=${way === name} onChange=${() => setQuery({ way: name })} /> ${title}</label>`)}
    </fieldset>
    ${way === "plan" && html`<${Plan} />`}
    ${way === "agent" && html`<${Agent} />`}
    ${way === "job" && html`<${Job} />`}
  `;
}

/**
 * A form of one text that sends it. `children` are further fields.
 * @param {{label: string, button: string, hint: string, send: (text: string, form: HTMLFormElement) => Promise<void>, rows?: number, text?: string, children?: any}} props
 */
function TextForm({ label, button, hint, send, rows = 4, text = "", children }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const form = /** @type {HTMLFormElement} */ (event.target);
      await send(String(new FormData(form).get("text")), form);
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return html`<form class="stack" onSubmit=${submit}>
    <label>${label}<textarea name="text" rows=${rows} required data-search defaultValue=${text}></textarea></label>
    <p class="hint">${hint}</p>
    ${children}
    <${Problem} error=${error} />
    <button class="primary" disabled=${busy}>${busy ? "Working…" : button}</button>
  </form>`;
}

function Agent() {
  const limits = useRef(/** @type {any} */ (null));
  const send = async (/** @type {string} */ text, /** @type {HTMLFormElement} */ form) => {
    const goal = await post("/api/v1/goals", { objective: text, params: limitsIn(form, limits.current), ...webhookIn(form, undefined) });
    const { runId } = await post(`/api/v1/goals/${goal.id}/run`);
    navigate(`/runs/${runId}`);
  };
  return html`<${TextForm} label="Goal" button="Run" send=${send} hint="At least 10 characters. The agent calls tools until it is done or its turns are used up.">
    <${Limits} fields=${limits} /><${Unfolded} title="Webhook"><${WebhookFields} /><//><//>`;
}

function Job() {
  const send = async (/** @type {string} */ text) => {
    let job;
    try {
      job = JSON.parse(text);
    } catch (error) {
      throw new ApiError(400, { error: `This is not JSON: ${error instanceof Error ? error.message : error}` });
    }
    const made = await post("/api/v1/execute-dag", job);
    navigate(`/runs/${made.executionId}`);
  };
  return html`<${TextForm} label="Plan" button="Run" rows=${16} text=${EXAMPLE} send=${send} hint="The JSON of a job with its sub_tasks, as in the API reference. The example writes a file and reads it back; it needs no model." />`;
}

function Plan() {
  const [dag, setDag] = useState(/** @type {any} */ (null));
  const [question, setQuestion] = useState(/** @type {any} */ (null));
  const [agent, setAgent] = useState(PLANNER);
  const agents = useLoaded("/api/v1/agents?active=true");
  const limits = useRef(/** @type {any} */ (null));
  const take = async (/** @type {any} */ answer) => {
    if (answer.status === "clarification_required") return setQuestion({ id: answer.dagId, text: answer.clarification_query });
    setQuestion(null);
    setDag(await get(`/api/v1/dags/${answer.dagId}`));
  };
  const plan = async (/** @type {string} */ text, /** @type {HTMLFormElement} */ form) => {
    setDag(null);
    await take(await post("/api/v1/create-dag", { "goal-text": text, agentName: agent, ...limitsIn(form, limits.current) }));
  };
  return html`
    <${TextForm} label="Goal" button="Make a plan" send=${plan} hint="The planner turns it into steps. Nothing runs before you say so.">
      <${Limits} fields=${limits} />
      <${Unfolded} title="Planner"><label class="field"><span class="field-name">Agent that makes the plan</span>
        <select value=${agent} onChange=${(/** @type {any} */ event) => setAgent(event.target.value)}>
          ${(agents.data ?? [{ name: PLANNER }]).map((/** @type {any} */ one) => html`<option key=${one.name}>${one.name}</option>`)}
        </select></label><//>
    <//>
    ${question && html`<section class="question"><h2>The planner asks</h2><p>${question.text}</p>
      <${TextForm} label="Your answer" button="Answer" hint="" rows=${2} send=${(/** @type {string} */ answer) => post(`/api/v1/dags/${question.id}/clarify`, { answer }).then(take)} /></section>`}
    ${dag && html`<${Preview} dag=${dag} />`}`;
}

/** @param {{dag: any}} props */
export function Preview({ dag }) {
  const [chosen, setChosen] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const steps = previewSteps(dag.result);
  const step = steps.find((one) => one.taskId === chosen);
  const inferences = steps.filter((one) => one.actionType === "inference").length;
  const run = () => post("/api/v1/execute-dag", { dagId: dag.id }).then((/** @type {any} */ made) => navigate(`/runs/${made.executionId}`), setError);
  return html`<section>
    <div class="head"><h2>${dag.dagTitle || "The plan"}</h2><button class="primary" onClick=${run}>Run this plan</button></div>
    <${Problem} error=${error} />
    <p class="hint">${steps.length} steps, ${inferences} of them ask a model. Tools: ${[...new Set(steps.filter((one) => one.actionType === "tool").map((one) => one.toolOrPromptName))].join(", ") || "none"}.</p>
    <${Graph} steps=${steps} chosen=${chosen} choose=${setChosen} />
    ${step && html`<h3>${step.taskId} ${step.description}</h3><p>${step.thought}</p><pre>${JSON.stringify(step.toolOrPromptParams, null, 2)}</pre>`}
  </section>`;
}

/** The steps of a job in the shape of the steps of a run. @param {any} job @returns {import("../rows.js").Step[]} */
const previewSteps = (job) =>
  (job?.sub_tasks ?? []).map((/** @type {any} */ task) => ({
    taskId: String(task.id),
    description: task.description,
    thought: task.thought,
    actionType: task.action_type,
    toolOrPromptName: task.tool_or_prompt?.name,
    toolOrPromptParams: task.tool_or_prompt?.params,
    dependencies: (task.dependencies ?? []).map(String),
    status: "planned",
  }));
