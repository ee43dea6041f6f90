"""The attempts at a plan: decides what to ask next, and judges the answers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import orjson
from pydantic import ValidationError

from contracts.core.event import Event, Json
from contracts.core.foreign_json import MAX_DEPTH, depth
from contracts.core.tool import ToolSpec
from contracts.domain import dag
from contracts.domain.dag import AttemptMade, ClarificationAsked, Planned, Rejected
from contracts.domain.issues import Issue, issues
from contracts.domain.plan import MAX_PROBLEMS, MAX_STEPS, Job, problems, renumber
from contracts.domain.plan.placeholders import map_texts
from contracts.llm.written import NotJson, Truncated, objects_in
from planner import prompt
from planner.coercion import coerced
from planner.reply import Reason, Reply
from planner.title import Proposal

MAX_ATTEMPTS = 3
"""Maximum attempts since the request or the last clarification."""
MAX_ANSWER = MAX_STEPS * 1000
"""Maximum characters of an answer, enough for MAX_STEPS steps. After a longer answer planning fails."""
MAX_DRAFTS = 8
"""Maximum number of JSON objects of one answer that are tried as the plan."""
MAX_TOLD = 30
"""Maximum number of problems or gaps in the next question."""
MAX_TOLD_TEXT = 500
"""Maximum characters of one problem or gap."""
PREVIEW = 500
"""Maximum characters of an unreadable answer in the error for the client."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tools and agents that a plan may use."""

    tools: Mapping[str, ToolSpec]
    agents: Collection[str]


@dataclass(frozen=True, slots=True)
class Question:
    """The next question to the model."""

    goal_text: str
    """The goal at that time, including clarifications."""
    reason: Reason
    messages: Sequence[Mapping[str, str]]
    more_tokens: int = 1
    """Factor of `max_tokens`. It doubles after each answer that was cut off."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer is not a valid plan, and the rejection if no attempt follows."""

    rejected: Rejected
    error: str | None = None
    gaps: tuple[str, ...] = ()
    retry: Reason | None = None
    """Reason of the next attempt; None: another attempt would not help."""


Judgement = Planned | ClarificationAsked | Fault


def tries(state: dag.State) -> tuple[AttemptMade, ...]:
    """The attempts at a plan so far, without attempts at the title."""
    return tuple(attempt for attempt in state.attempts if attempt.reason != Reason.TITLE)


def next_question(state: dag.State, system: str, goal: str) -> Question:
    """The next question. `goal`: the goal text for the model."""
    last = next(reversed(tries(state)), None)
    user = goal if last is None else prompt.goal_with_errors(goal, last)
    reason = Reason.INITIAL if last is None or last.retry is None else Reason(last.retry)
    messages = ({"role": "system", "content": system}, {"role": "user", "content": user})
    return Question(state.goal_text, reason, messages, more_tokens=2 ** _cuts(state))


def _cuts(state: dag.State) -> int:
    """How many answers max_tokens has cut off since the request or the last clarification."""
    told = (attempt.generation_stats or {} for attempt in tries(state))
    return sum(stats.get("finish_reason") == "length" for stats in told)


def judge(goal_text: str, reply: Reply, vocabulary: Vocabulary) -> Judgement:
    """The verdict about a reply: a plan, a question to the user, or a fault."""
    if reply.error is not None:
        return Fault(Rejected(http_status=500, error=reply.error), reply.error)
    if len(reply.text) > MAX_ANSWER:
        error = f"Response too large: {len(reply.text)} bytes"
        return Fault(Rejected(http_status=500, error=error, details={"maxSize": MAX_ANSWER}), error)
    faults: list[Fault] = []
    plans: list[bool] = []
    try:
        for document in islice(objects_in(reply.text), MAX_DRAFTS):
            verdict = _judge_document(goal_text, document, vocabulary)
            if not isinstance(verdict, Fault):
                return verdict
            faults.append(verdict)
            plans.append("sub_tasks" in document)
    except Truncated as error:
        return _unreadable(reply, str(error))
    except NotJson as error:
        faults.append(_unreadable(reply, str(error)))
    return faults[plans.index(True) if True in plans else 0]


def conclude(state: dag.State, question: Question, reply: Reply, verdict: Judgement) -> list[Event]:
    """The events after the reply to `question`: the attempt, and the end of planning if there is one.

    Returns no events if planning has ended, or if the goal has changed since the question.
    """
    if not dag.is_planning(state) or state.goal_text != question.goal_text:
        return []
    number = len(tries(state)) + 1
    made = reply.as_attempt(number, question.reason)
    if not isinstance(verdict, Fault):
        return [made, verdict]
    again = verdict.retry if number < MAX_ATTEMPTS else None
    found = {
        "error": verdict.error,
        "answer": reply.text[: prompt.MAX_SHOWN] or None,
        "gaps": verdict.gaps,
        "retry": again,
    }
    made = made.model_copy(update=found)
    return [made] if again else [made, verdict.rejected]


def with_title(events: Sequence[Event], proposal: Proposal | None) -> list[Event]:
    """`events` with the proposed title, and with the proposal as an attempt, if planning ends."""
    if proposal is None or not events or isinstance(events[-1], AttemptMade):
        return list(events)
    *made, end = events
    if isinstance(end, Planned):
        end = end.model_copy(update={"title": proposal.title})
    number = max(event.attempt for event in made if isinstance(event, AttemptMade))
    return [*made, proposal.reply.as_attempt(number, Reason.TITLE), end]


def _judge_document(goal_text: str, document: dict[str, Json], vocabulary: Vocabulary) -> Judgement:
    if depth(document) > MAX_DEPTH:
        return _invalid(
            [Issue((), f"nested more than {MAX_DEPTH} levels deep; make it flatter").as_json()], None
        )
    try:
        job = Job.model_validate(coerced(document, vocabulary.tools))
    except ValidationError as error:
        return _invalid(issues(error, Job)[:MAX_PROBLEMS], document)
    if job.clarification_needed:
        return ClarificationAsked(query=job.clarification_query or "", job=job)
    return _judge_plan(job.model_copy(update={"original_request": goal_text}), document, vocabulary)


def _judge_plan(job: Job, document: Json, vocabulary: Vocabulary) -> Judgement:
    gaps = () if job.is_complete else _gaps_to_send(job.validation.gaps)
    found = problems(job, vocabulary.tools, agents=vocabulary.agents)
    if found:
        return _invalid([one.as_json() for one in found], document, gaps)
    if gaps:
        return _incomplete(gaps)
    return Planned(job=renumber(job))


def _unreadable(reply: Reply, error: str) -> Fault:
    rejected = Rejected(
        http_status=500,
        error=_CUT_OFF_FINALLY if reply.cut_off else "LLM response is not valid JSON after multiple attempts",
        details={"attempts": MAX_ATTEMPTS, "responsePreview": reply.text[:PREVIEW]},
    )
    return Fault(rejected, _CUT_OFF if reply.cut_off else error, retry=Reason.UNREADABLE)


_CUT_OFF_FINALLY = (
    "LLM response is not valid JSON after multiple attempts: the last one was cut off. Raise max_tokens (or "
    "DEFAULT_MAX_TOKENS), use a model that writes longer answers, or split the goal"
)
_CUT_OFF = (
    "the answer was cut off where max_tokens ended it, before the JSON was complete: make the plan shorter"
)


def _invalid(found: Sequence[dict[str, Json]], document: Json, gaps: tuple[str, ...] = ()) -> Fault:
    rejected = Rejected(
        http_status=400,
        error="Invalid DAG structure after multiple attempts",
        details={"validation_errors": list(found), "attempts": MAX_ATTEMPTS, "result": document},
    )
    return Fault(rejected, orjson.dumps(_problems_to_send(found)).decode(), gaps, Reason.INVALID)


def _incomplete(gaps: tuple[str, ...]) -> Fault:
    rejected = Rejected(
        http_status=500,
        error="Failed to create DAG after maximum attempts",
        details={"max_attempts": MAX_ATTEMPTS},
    )
    return Fault(rejected, gaps=gaps, retry=Reason.GAPS)


def _problems_to_send(found: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    """The first problems, with long texts cut."""
    return [map_texts(issue, lambda text: text[:MAX_TOLD_TEXT]) for issue in found[:MAX_TOLD]]


def _gaps_to_send(gaps: Sequence[str]) -> tuple[str, ...]:
    return tuple(gap[:MAX_TOLD_TEXT] for gap in gaps if gap.strip())[:MAX_TOLD]
