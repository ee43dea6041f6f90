"""A tool: name, input, what it leaves outside, what running it twice does, and the function that does it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, TypeVar

import orjson
from aiohttp import ClientConnectionError, ClientPayloadError
from pydantic import ValidationError

from contracts.core.event import Json
from contracts.core.ids import require_id
from contracts.core.outcome import Reject, Retry
from contracts.core.text import clean_json, clean_text, require_finite
from contracts.core.tool import Effect, Fill, OutputSpec, ToolSpec
from executor.tools.inputs import ToolInput, explain, json_schema

InputT = TypeVar("InputT", bound=ToolInput)

ProgressKind = Literal["progress", "completed"]
Progress = Callable[[ProgressKind, str, str], Awaitable[None]]
"""Tells watchers what a tool is at: kind, tool name, message. Not stored."""


async def silent(kind: ProgressKind, tool_name: str, message: str) -> None:
    """Discards progress."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What a tool knows of the call besides its input."""

    idempotency_key: str
    """`<run>/<step>`: the same for every attempt at one step."""
    progress: Progress = silent
    longest_s: float = math.inf
    """Seconds that any step has in this process."""


@dataclass(frozen=True)
class Tool(Generic[InputT]):
    """One tool. `run` raises Retry or Reject where it knows which; `invoke` settles the rest."""

    name: str
    description: str
    accepts: type[InputT]
    effect: Effect
    """Of the worst call there is."""
    run: Callable[[InputT, CallContext], Awaitable[Json]]
    timeout_s: float = 60.0
    output: OutputSpec | None = None
    """What a call leaves outside the run, for the tools that exist for that."""
    filled_from_results: Mapping[str, Fill] = field(default_factory=dict)
    """Parameters that the results of a step's dependencies fill when a plan leaves them out."""
    order: int = 1000
    """Place in listings."""
    effect_by_params: Callable[[Mapping[str, Json]], Effect] | None = None
    """For tools of which some calls are gentler than `effect`."""

    def __post_init__(self) -> None:
        require_id(self.name)
        known = self.accepts.model_json_schema().get("properties", {})
        if unknown := sorted(set(self.filled_from_results) - set(known)):
            raise ValueError(
                f"{self.name}: filled_from_results names {', '.join(unknown)}; "
                f"its parameters are {', '.join(known) or 'none'}"
            )

    @cached_property
    def spec(self) -> ToolSpec:
        """How the catalogue shows it."""
        return ToolSpec(
            name=self.name,
            description=self.description,
            parameters=json_schema(self.accepts),
            effect=self.effect,
            output=self.output,
            filled_from_results=self.filled_from_results,
            order=self.order,
        )

    def effect_of(self, params: Mapping[str, Json]) -> Effect:
        """What a second call with `params` does; these may be unresolved, even invalid."""
        return self.effect_by_params(params) if self.effect_by_params else self.effect

    async def invoke(self, params: Mapping[str, Json], call: CallContext) -> Json:
        """The tool's result for `params`: JSON without NUL and lone surrogates.

        Raises:
            Retry: it may work later, and trying again does no harm.
            Reject: bad parameters, a refusal, a defect, or an interrupted call not to be repeated unasked.
        """
        request = self._accept(params)
        timeout_s = min(self.timeout_s, call.longest_s)
        try:
            async with asyncio.timeout(timeout_s):
                result = await self.run(request, call)
            return _as_json(result)
        except TimeoutError as error:
            late = f"{self.name} did not finish within {timeout_s:g} s"
            raise _interrupted(late, self.effect_of(params)) from error
        except Exception as error:
            raise self._outcome(error, self.effect_of(params)) from error

    def _accept(self, params: Mapping[str, Json]) -> InputT:
        given = {name: value for name, value in params.items() if value is not None}
        try:
            return self.accepts.model_validate(given)
        except ValidationError as error:
            raise Reject(
                f"Invalid parameters for {self.name}: {explain(error, self.spec.parameters)}"
            ) from error

    def _outcome(self, error: Exception, effect: Effect) -> Retry | Reject:
        what = clean_text(str(error))
        match error:
            case Retry():
                return Retry(what, after=error.after, spent=error.spent)
            case Reject():
                return Reject(what, spent=error.spent)
            case ConnectionError() | ClientConnectionError() | ClientPayloadError():
                return _interrupted(f"{self.name} was interrupted: {type(error).__name__}: {what}", effect)
        return Reject(f"{self.name} failed: {type(error).__name__}: {what}")


def _interrupted(reason: str, effect: Effect) -> Retry | Reject:
    if effect is Effect.ONCE:
        return Reject(f"{reason}; it may have taken effect. Check, then resume to run it again")
    return Retry(reason)


def _as_json(result: Json) -> Json:
    clean = clean_json(result)
    orjson.dumps(clean)  # raises what is not JSON here, where the tool is to blame
    require_finite(clean)
    return clean
