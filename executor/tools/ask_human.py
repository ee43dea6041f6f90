"""askHuman: asks a person, and returns the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import Field, field_validator

from contracts.core.event import Json
from contracts.core.foreign_schema import schema_error
from contracts.core.outcome import Ask
from contracts.core.tool import Effect, Source
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

WEEK_S = 7 * 24 * 3600
YEAR_S = 366 * 24 * 3600


class AskHuman(ToolInput):
    """The question."""

    question: str = Field(min_length=1, max_length=10_000, description="The question to a person")
    answer_schema: dict[str, Any] | None = Field(
        default=None, alias="schema", description="JSON Schema of the answer; omitted: any answer"
    )
    expires: int = Field(
        default=WEEK_S,
        ge=1,
        le=YEAR_S,
        description="Seconds after which the question expires and the call fails; by default 7 days",
    )

    @field_validator("answer_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if error := schema_error(schema or {}):
            raise ValueError(f"it is not a JSON Schema: {error}")
        return schema


def ask_human() -> Tool[AskHuman]:
    """The tool askHuman."""

    async def run(request: AskHuman, call: CallContext) -> Json:
        if (answer := call.answer_to(request.question)) is not None:
            return answer
        expires_in = timedelta(seconds=request.expires)
        raise Ask(request.question, schema=request.answer_schema, expires_in=expires_in)

    return Tool(
        name="askHuman",
        description=(
            "Ask a person a question and wait for the answer, which is the result. "
            "Use it only if the goal cannot be reached without the answer."
        ),
        accepts=AskHuman,
        effect=Effect.READ,
        source=Source.PERSON,
        by_default=False,
        run=run,
        timeout_s=30,
    )
