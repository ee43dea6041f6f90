// @ts-check
/** One question of a run: what is asked and why, what came before, and the form of the answer. */

import { changedAsks, post } from "../parts/api.js";
import { Copy, Fact, Loaded, Problem, Status, Title, When } from "../parts/components.js";
import { follow } from "../parts/events.js";
import { pretty } from "../parts/format.js";
import { html, useEffect, useMemo, useState } from "../parts/html.js";
import { useLoaded, useThrottled } from "../parts/loading.js";
import { pageOf } from "../parts/questions.js";
import { fieldsOf, isSame, valueOf } from "../parts/schema.js";
import { SchemaFields, writtenIn } from "../parts/schema_form.js";
import { Before } from "./ask_before.js";

const LIST = { title: "Inbox", href: "/inbox" };

/** @param {{id: string}} props */
export default function Ask({ id }) {
  const path = `/api/v1/asks/${encodeURIComponent(id)}`;
  const ask = useLoaded(path);
  const soon = useThrottled(ask.reload, 300);
  const run = ask.data?.runId;
  const isOpen = ask.data?.status === "open";
  useEffect(() => (run && isOpen ? follow(`/api/v1/events?id=${run}`, { onEvent: soon }) : undefined), [run, isOpen]);
  return html`<${Loaded} of=${ask} back=${LIST}>${(/** @type {import("../rows.js").Ask} */ data) => html`
    <p class="crumb"><a href="/inbox">Inbox</a> / <a href=${`/runs/${data.runId}`}>Run</a></p>
    <${Title} text=${data.title} />
    <dl class="facts">
      <${Fact} name="Status"><${Status} value=${data.status} /><//>
      <${Fact} name="Step"><a href=${`/runs/${data.runId}?step=${encodeURIComponent(data.step)}`}>${data.step}</a><//>
      <${Fact} name="Tool"><code>${data.tool}</code><//>
      <${Fact} name="Asked"><${When} exact at=${data.askedAt} /><//>
      ${isOpen && html`<${Fact} name="Expires"><${When} exact at=${data.expiresAt} none="never" /><//>`}
      <${Fact} name="Id"><${Copy} text=${data.id} /><//>
    </dl>
    ${data.why && html`<p><strong>Why:</strong> ${data.why}</p>`}
    <div class="beside">${isOpen ? html`<${Answer} key=${data.paramsSha256} ask=${data} path=${path} reload=${ask.reload} />` : html`<${Closed} ask=${data} />`}
    <section><${Before} runId=${data.runId} step=${data.step} /></section></div>
  `}<//>`;
}

/** How a question was closed. @param {{ask: import("../rows.js").Ask}} props */
function Closed({ ask }) {
  const open = useLoaded("/api/v1/asks?status=open&limit=2").data?.asks ?? [];
  const next = open.find((/** @type {import("../rows.js").Ask} */ one) => one.id !== ask.id);
  const what = { expired: "Nobody answered in time.", withdrawn: "The run ended or was suspended before an answer." }[/** @type {string} */ (ask.status)];
  return html`<section class="notice" role="status">
    <p>${what ?? html`<strong>${ask.answeredBy}</strong> ${ask.status} this <${When} at=${ask.closedAt} />.`} <a href=${`/runs/${ask.runId}`}>Open the run</a> · <a href="/inbox">Back to the inbox</a>${next && html` · <a href=${pageOf(next.id)}>Next question</a>`}</p>
    ${ask.comment && html`<p>${ask.comment}</p>`}
    ${ask.verdict === "answer" && html`<pre>${pretty(ask.value)}</pre>`}
    ${ask.kind === "approval" && html`<pre>${pretty(ask.editedParams ?? ask.params)}</pre>`}
    ${ask.editedParams && html`<p class="hint">The parameters were edited.</p>`}
  </section>`;
}

/** @param {{ask: import("../rows.js").Ask, path: string, reload: () => Promise<void>}} props */
function Answer({ ask, path, reload }) {
  const isApproval = ask.kind === "approval";
  const fields = useMemo(() => fieldsOf(ask.answerSchema, isApproval ? ask.params : undefined), [ask.id]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  /** @param {any} event */
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const verdict = event.submitter?.value ?? (isApproval ? "approve" : "answer");
      await post(`${path}/answer`, { verdict, ...answerIn(event.target, verdict) });
      changedAsks();
      await reload();
    } catch (problem) {
      setError(problem);
      if (/** @type {any} */ (problem).status === 409) await reload();
    }
    setBusy(false);
  };
  /** @param {HTMLFormElement} form @param {string} verdict */
  const answerIn = (form, verdict) => {
    const comment = String(new FormData(form).get("comment")).trim() || undefined;
    if (verdict === "reject") return { comment };
    const value = valueOf(fields, writtenIn(form));
    if (!isApproval) return { value, comment };
    return isSame(value, ask.params) ? { comment } : { params: value, comment };
  };
  return html`<form class="stack card" onSubmit=${submit}>
    <h2>${isApproval ? "The call" : "Your answer"}</h2>
    ${isApproval && html`<p class="hint">It is made with exactly these parameters. You can edit them before you approve.</p>`}
    <${SchemaFields} fields=${fields} label=${isApproval ? "Parameters" : "Answer"} error=${error} at=${[isApproval ? "params" : "value"]} />
    <label class="field"><span class="field-name">Comment <span class="hint">optional</span></span>
      <textarea name="comment" rows="2"></textarea><span class="hint">Stored with your decision. The comment of a rejection becomes the error of the step.</span></label>
    <${Problem} error=${error} />
    <div class="actions">
      <button class="primary" value=${isApproval ? "approve" : "answer"} disabled=${busy}>${isApproval ? "Approve" : "Send the answer"}</button>
      <button value="reject" formnovalidate disabled=${busy}>Reject</button>
    </div>
  </form>`;
}
