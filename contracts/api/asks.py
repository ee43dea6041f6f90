"""Questions of runs to a person, over HTTP: approvals of tool calls, and questions of tools."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.fields import Body, Omissible, Query, Row, Timestamp
from contracts.api.filters import Name
from contracts.api.numbers import COERCED
from contracts.api.paging import CursorText
from contracts.core.event import Json
from contracts.domain.outward import OutwardCalls
from contracts.domain.run import Answer, AskKind, Verdict

AskStatus = Literal["open", "approved", "rejected", "answered", "expired", "withdrawn"]
"""`withdrawn`: the run ended or was suspended before an answer."""


class AskQuery(Query):
    """Which questions to list."""

    status: AskStatus | None = None
    """Only questions with this status."""
    run_id: Name | None = None
    """Only questions of this run."""
    limit: Annotated[int, Field(ge=1, le=100), COERCED] = 50
    cursor: CursorText = ""
    """The `nextCursor` of the previous page, which is also in the header `Link`. Default: the first page."""


class AskAnswer(Body):
    """The answer to a question."""

    verdict: Verdict
    """For an approval: `approve` or `reject`. For a question: `answer` or `reject`."""
    value: Json = None
    """The answer to a question. It must match `answerSchema`."""
    params: Omissible[dict[str, Json]] = None
    """All parameters of an approved call, as edited. They must match `answerSchema`. Default: unchanged."""
    comment: Omissible[Annotated[str, Field(max_length=10_000)]] = None
    """A reason. The reason of a rejection becomes the error of the step."""

    @property
    def given(self) -> Answer:
        """The answer as the domain knows it."""
        return Answer(self.verdict, self.params, self.value, self.comment)


class AskRow(Row):
    """One question."""

    id: str
    run_id: str
    step: str
    """The step that waits: the id of a sub-task, or `<turn>.<position>` of an agent's tool call."""
    kind: AskKind
    status: AskStatus
    title: str
    tool: str
    """Name of the tool that is called or that asks."""
    params: dict[str, Json]
    """Parameters of the call, with the results of other steps inserted."""
    params_sha256: str
    """SHA-256 of the parameters. The answer is valid for these parameters only."""
    answer_schema: dict[str, Json] | None
    """JSON Schema of `params` (approval) or `value` (question) of the answer; null: any."""
    why: str
    policy: OutwardCalls | None
    """The policy about calls that send something to others, if it asks; null: the plan or the tool asks."""
    asked_at: Timestamp
    expires_at: Timestamp | None
    """The step fails if nobody answers before; null: it waits without limit."""
    closed_at: Timestamp | None
    verdict: Verdict | None
    edited_params: dict[str, Json] | None
    """The parameters as edited by the person who approved; null: unchanged."""
    value: Json
    """The answer to a question."""
    comment: str | None
    answered_by: str | None
    """Who answered, such as `key:<name>`."""


class AskList(Row):
    """A page of questions, newest first."""

    asks: list[AskRow]
    next_cursor: str | None
    """Cursor of the next page. Null on the last page."""


class AskAnswered(Row):
    """The recorded answer."""

    id: str
    run_id: str
    verdict: Verdict
