"""Single tasks: an agent answers once. The log records usage and cost, not the texts."""

from __future__ import annotations

import time
from datetime import datetime

import structlog
from aiohttp import web
from pydantic import ValidationError

from contracts.api.costs import TokenUsage
from contracts.api.tasks import InputFile, TaskForm, TaskParams, TaskResult, TaskUsed
from contracts.core.event import Json
from contracts.core.foreign_json import TooLargeInteger, parse_json
from contracts.core.outcome import Reject, Retry
from contracts.core.scopes import Scope
from contracts.domain.agent import AgentVersion, State
from contracts.domain.issues import Issue, issues
from contracts.domain.model import NoModel, resolve_model
from contracts.domain.shared_budget import LimitReached
from contracts.llm import ChatRequest, Completion
from contracts.spending import Purpose
from gateway.api.tasks.accounts import answered, failed, record
from gateway.api.tasks.prompt import image_type, task_messages
from gateway.api.unknown_agents import no_such_agent
from gateway.endpoint import Call, endpoint
from gateway.http.errors import RETRY_AFTER_S, STATUS, Refusal
from gateway.http.forms import Form, form_of
from gateway.http.replies import json_reply

logger = structlog.get_logger(__name__)

TAG = "tasks"
INVALID = "Validation error"
FAILED = "Task execution failed"
ADVICE = "try again in a moment, or give the agent another provider and model"


@endpoint(
    "POST",
    "/api/v1/task",
    summary="Ask an agent to do one task, with files",
    tag=TAG,
    scope=Scope.RUN,
    form=TaskForm,
    responses={200: TaskResult},
    errors={
        400: "A field is missing or invalid.",
        402: "The task could exceed the budget of the system or of the key. `details` has the numbers.",
        404: "No active agent has this name.",
        413: "A file is larger than 10 MiB, or the form is larger than 40 MiB.",
        415: "The body is not a form, or a file is neither UTF-8 text nor an image.",
        500: "The provider refused the request or did not answer.",
    },
)
async def perform_task(call: Call[None, None]) -> web.StreamResponse:
    """UTF-8 text files are added to the prompt. Images are sent to the model together with the prompt."""
    async with form_of(call.request, call.gateway.form_room) as form:
        return json_reply(await _performed(call, form))


ENDPOINTS = (perform_task,)


async def _performed(call: Call[None, None], form: Form) -> TaskResult:
    asked, params = _task_of(form)
    agents = await call.gateway.agents_current()
    entry = agents.active(asked.task_name)
    if entry is None:
        missing = f"No active agent found with name: {asked.task_name}"
        raise no_such_agent(404, missing, asked.task_name, agents)
    completion = await _asked(call, entry, _request(call, entry.state, asked, params, form))
    return _result(call, entry.state, params, form, completion)


def _task_of(form: Form) -> tuple[TaskForm, TaskParams]:
    try:
        task = TaskForm.model_validate(dict(form.fields))
    except ValidationError as error:
        unknown = [issue for issue in issues(error, TaskForm) if issue["code"] == "unrecognized_keys"]
        if unknown:
            raise Refusal(400, INVALID, details=unknown) from error
        raise Refusal(400, "taskName and prompt are required fields") from None
    try:
        return task, TaskParams.model_validate(_params_of(task))
    except ValidationError as error:
        raise Refusal(400, INVALID, details=issues(error, TaskParams)) from error


def _params_of(task: TaskForm) -> Json:
    try:
        return parse_json((task.params or "{}").encode())
    except TooLargeInteger as error:
        raise Refusal(400, INVALID, details=[Issue(error.path, error.problem).as_json()]) from error
    except ValueError as error:
        issue = Issue(("params",), f'not JSON ({error}): send an object such as {{"max_tokens": 500}}')
        raise Refusal(400, INVALID, details=[issue.as_json()]) from error


def _request(
    call: Call[None, None], agent: State, asked: TaskForm, params: TaskParams, form: Form
) -> ChatRequest:
    """Return the request to the model.

    Raises:
        Refusal: no model is configured, or the model does not accept a file.
    """
    asked_of = resolve_model(agent, call.gateway.llm_problem)
    if isinstance(asked_of, NoModel):
        raise Refusal(503, asked_of.reason)
    if asked_of.remark:
        logger.warning(asked_of.remark)
    return ChatRequest(
        messages=task_messages(agent.prompt_template, asked.prompt, form.files),
        temperature=params.temperature,
        max_tokens=params.max_tokens,
        reasoning_effort=params.reasoning_effort or call.gateway.llm.settings.default_reasoning_effort,
        provider=asked_of.provider,
        model=asked_of.model,
    )


async def _asked(call: Call[None, None], entry: AgentVersion, request: ChatRequest) -> Completion:
    """Return the model's answer, after its usage and cost are recorded in the log.

    Raises:
        Refusal: the model does not answer, or the shared budget does not allow the call.
    """
    begun, task_id = time.perf_counter(), call.new_id("task_", "task")
    purpose = Purpose(task_id, call.principal.actor)
    try:
        completion = await call.gateway.shared.pay(
            request, purpose, lambda may_retry: call.gateway.chat.complete(request, may_retry=may_retry)
        )
    except LimitReached as limit:
        raise _unaffordable(limit, call.gateway.clock()) from None
    except (Retry, Reject) as error:
        await record(call, task_id, entry, failed(request, error), begun)
        if isinstance(error, Reject):
            raise Refusal(500, FAILED, message=str(error)) from error
        told = f"{error}; {ADVICE}"
        raise Refusal(500, FAILED, retry_after=error.after or RETRY_AFTER_S, message=told) from error
    await record(call, task_id, entry, answered(completion), begun)
    return completion


def _unaffordable(limit: LimitReached, now: datetime) -> Refusal:
    wait = (limit.reached.until - now).total_seconds() if limit.is_temporary else None
    error = limit.then("send the task again")
    return Refusal(STATUS[LimitReached], error, retry_after=wait, details=limit.reached.details)


def _result(
    call: Call[None, None], agent: State, params: TaskParams, form: Form, completion: Completion
) -> TaskResult:
    defaults, spent = call.gateway.llm.settings, completion.spent
    return TaskResult(
        task_name=agent.name,
        agent_name=agent.name,
        agent_version=agent.version_name,
        input_files=[
            InputFile(filename=file.filename, mime_type=image_type(file) or file.media_type or "text/plain")
            for file in form.files
        ],
        response=completion.content,
        finish_reason=completion.finish_reason,
        usage=spent.usage and TokenUsage.of(spent.usage.prompt_tokens, spent.usage.completion_tokens),
        cost_usd=spent.cost_usd,
        params=TaskUsed(
            provider=spent.provider or "",
            model=spent.model or "",
            max_tokens=params.max_tokens or defaults.default_max_tokens,
            temperature=defaults.default_temperature if params.temperature is None else params.temperature,
            reasoning_effort=params.reasoning_effort or defaults.default_reasoning_effort,
        ),
    )
