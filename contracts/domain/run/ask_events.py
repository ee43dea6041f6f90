"""Events of a run that waits for a person.

A step asks for an approval of a tool call, or for an answer to a question. Events are stored for ever: when a
shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from contracts.core.event import Event, Json
from contracts.domain.outward import OutwardCalls

AskKind = Literal["approval", "question"]
"""What is asked: `approval`, whether a tool call may be made; `question`, a value."""

Verdict = Literal["approve", "reject", "answer"]
"""How a person answers: an approval with `approve` or `reject`, a question with `answer` or `reject`."""


class Asked(Event):
    """An attempt at a step ended with a question to a person. The step runs again after the answer."""

    type: ClassVar[str] = "run.asked"
    offloaded: ClassVar[frozenset[str]] = frozenset({"params", "answer_schema"})
    step: str
    attempt: int
    kind: AskKind
    title: str
    """The question, or the description of the tool call."""
    tool: str
    """Name of the tool that is called or that asks."""
    params: dict[str, Json] = Field(default_factory=dict)
    """Parameters of the call, with the results of other steps inserted."""
    params_sha256: str
    """SHA-256 of the parameters. The answer is valid for these parameters only."""
    answer_schema: dict[str, Json] | None = None
    """JSON Schema of edited parameters (approval) or of the answer (question); null: any answer."""
    why: str
    """Why a person is asked."""
    policy: OutwardCalls | None = None
    """The policy about calls that send something to others, if it asks; null: the plan or the tool asks."""
    expires_at: datetime | None = None
    """The step fails if nobody answers before; null: it waits without limit."""


class Answered(Event):
    """A person answered. The step runs again, with the answer."""

    type: ClassVar[str] = "run.answered"
    offloaded: ClassVar[frozenset[str]] = frozenset({"params", "value"})
    step: str
    attempt: int
    """The attempt that asked."""
    verdict: Verdict
    params_sha256: str
    """SHA-256 of the parameters as asked."""
    params: dict[str, Json] | None = None
    """The parameters as the person edited them; null: unchanged."""
    value: Json = None
    """The answer to a question."""
    comment: str | None = None
    by: str
    """Who answered: an actor, such as `key:<name>`."""
    at: datetime


class AskExpired(Event):
    """Nobody answered in time. The step fails."""

    type: ClassVar[str] = "run.ask_expired"
    step: str
    attempt: int
    """The attempt that asked."""
    expired_at: datetime


class Waiting(Event):
    """Nothing of the run can go on until a person answers. No executor has the run now."""

    type: ClassVar[str] = "run.waiting"
    until: datetime | None = None
    """The first expiry of an open question; null: none expires."""
    worked_ms: int = 0
    """Milliseconds that the run has been running, in total; 0 in events that are older than this field."""


class Continued(Event):
    """An executor continues a run that waited for a person."""

    type: ClassVar[str] = "run.continued"
    executor: str
    at: datetime
