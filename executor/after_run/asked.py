"""The body of a webhook call that says that a run asks a person. Pure."""

from __future__ import annotations

from contracts.core.event import Json
from contracts.domain import run, webhook
from executor.after_run.webhook_calls import WebhookCall


def asked_call(requested: webhook.Requested, state: run.State, public_url: str) -> WebhookCall | None:
    """The call about a question; None if it is not open any more, or no webhook is called about questions.

    `public_url`: address of the API as others reach it; may be empty.
    """
    run_id, step, attempt = run.parse_ask_id(requested.ask)
    ask, request = state.asks.open.get(step), state.wanted
    if ask is None or ask.attempt != attempt or request is None or state.status not in run.ANSWERABLE:
        return None
    url = webhook.url_for("asked", request)
    if url is None:
        return None
    about = _of_goal(request) | {"runId": run_id, "askId": requested.ask}
    about["answerUrl"] = f"{public_url.rstrip('/')}/api/v1/asks/{requested.ask}/answer"
    return WebhookCall(
        id=webhook.id_of_ask(requested.ask),
        url=url,
        key=f"{run_id}/webhook/{requested.ask}",
        payload={"type": run.Asked.type, "data": about | _question(ask)},
        ask=requested.ask,
    )


def _of_goal(request: run.Requested | run.GoalRequested) -> dict[str, Json]:
    objective = request.objective if isinstance(request, run.GoalRequested) else request.original_request
    return {"goalId": request.goal_id, "objective": objective}


def _question(ask: run.Asked) -> dict[str, Json]:
    return {
        "step": ask.step,
        "kind": ask.kind,
        "title": ask.title,
        "tool": ask.tool,
        "params": ask.params,
        "paramsSha256": ask.params_sha256,
        "answerSchema": ask.answer_schema,
        "why": ask.why,
        "expiresAt": ask.expires_at and ask.expires_at.isoformat(),
    }
