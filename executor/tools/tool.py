"""A tool: name, input, output, effect of a second call, and the function that runs it."""

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
from contracts.core.foreign_json import MAX_DEPTH, depth, require_storable
from contracts.core.ids import require_id
from contracts.core.outcome import Ask, Reject, Retry
from contracts.core.text import clean_json, clean_text
from contracts.core.tool import Effect, Fill, OutputSpec, Outward, Source, ToolSpec
from contracts.settings.redactor import SECRETS
from executor.tools.inputs import ToolInput, declared_keys, explain

InputT = TypeVar("InputT", bound=ToolInput)

ProgressKind = Literal["progress", "completed"]
ReportProgress = Callable[[ProgressKind, str, str], Awaitable[None]]
"""Sends progress to watchers: kind, tool name, message. It is not stored."""


async def discard_progress(kind: ProgressKind, tool_name: str, message: str) -> None:
    """Discards progress."""


def always() -> bool:
    """True."""
    return True


@dataclass(frozen=True, slots=True)
class CallContext:
    """The context of a tool call."""

    idempotency_key: str
    """`<run>/<step>`: the same for every attempt at one step."""
    progress: ReportProgress = discard_progress
    longest_s: float = math.inf
    """Maximum seconds of a step in this process."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """The answers of a person to the questions that earlier attempts at the step raised with Ask."""

    is_answered: bool = False
    """Whether the previous attempt at the step ended with a question, which was answered."""

    def answer_to(self, question: str) -> Json:
        """The answer of a person to a question of this call; None: there is none yet."""
        return self.answers.get(SECRETS.text(question))


@dataclass(frozen=True)
class Tool(Generic[InputT]):
    """A tool. `run` may raise Ask, Retry or Reject; `invoke` converts other exceptions to one of them."""

    name: str
    description: str
    accepts: type[InputT]
    effect: Effect
    """What a second call does, in the worst case."""
    run: Callable[[InputT, CallContext], Awaitable[Json]]
    timeout_s: float = 60.0
    output: OutputSpec | None = None
    """The side effect of a call, recorded as an output of the run; None: no output."""
    filled_from_results: Mapping[str, Fill] = field(default_factory=dict)
    """Parameters that are filled from the results of the dependencies if a plan omits them."""
    order: int = 1000
    """Position in lists of tools."""
    by_default: bool = True
    """Whether prompts for plans list the tool, and agents that name no tools may call it."""
    outward: Outward | None = None
    """Set it if a call sends something to others; see `executor/policy`."""
    source: Source = Source.OUTSIDE
    """Where the content of a result comes from."""
    reads_file: str | None = None
    """The parameter with the path of the file that a call reads; None: it reads no file."""
    third_party: bool = False
    """Whether name and description come from a third party."""
    effect_by_params: Callable[[Mapping[str, Json]], Effect] | None = None
    """Returns the effect of a call by its parameters; None: `effect` applies to all calls."""
    is_available: Callable[[], bool] = always
    """Whether the tool can be called now. Tools that cannot are not listed in the catalogue."""

    def __post_init__(self) -> None:
        require_id(self.name)
        known = declared_keys(self.accepts)
        named = {
            "filled_from_results": self.filled_from_results,
            "outward.parameters": (self.outward and self.outward.parameters) or (),
            "reads_file": (self.reads_file,) if self.reads_file else (),
        }
        for declaration, names in named.items():
            if unknown := sorted(set(names) - set(known)):
                raise ValueError(
                    f"{self.name}: {declaration} names {', '.join(unknown)}; "
                    f"its parameters are {', '.join(known) or 'none'}"
                )

    @cached_property
    def spec(self) -> ToolSpec:
        """The specification of the tool in the catalogue."""
        return ToolSpec(
            name=self.name,
            description=self.description,
            parameters=self.accepts.describe_parameters(),
            effect=self.effect,
            output=self.output,
            filled_from_results=self.filled_from_results,
            order=self.order,
            by_default=self.by_default,
            outward=self.outward,
            source=self.source,
            reads_file=self.reads_file,
            third_party=self.third_party,
        )

    def effect_of(self, params: Mapping[str, Json]) -> Effect:
        """What a second call with `params` does. `params` may have placeholders or be invalid."""
        if self.effect_by_params is None:
            return self.effect
        return self.effect_by_params(self.accepts.as_declared(params))

    async def invoke(self, params: Mapping[str, Json], call: CallContext) -> Json:
        """Call the tool. Returns JSON without NUL and lone surrogates.

        Raises:
            Ask: the tool needs the answer of a person.
            Retry: the call failed, and repeating it later is safe.
            Reject: the parameters are invalid, the call failed finally, or it was interrupted and must not be
                repeated automatically.
        """
        request = self.accept(params)
        timeout_s = min(self.timeout_s, call.longest_s)
        try:
            async with asyncio.timeout(timeout_s):
                result = await self.run(request, call)
            return _as_json(result)
        except Ask:
            raise
        except TimeoutError as error:
            late = f"{self.name} did not finish within {timeout_s:g} s"
            raise _interrupted(late, self.effect_of(params)) from error
        except Exception as error:
            raise self._outcome(error, self.effect_of(params)) from error

    def accept(self, params: Mapping[str, Json]) -> InputT:
        """The input of a call with `params`.

        Raises:
            Reject: the parameters are invalid.
        """
        given = {name: value for name, value in self.accepts.as_declared(params).items() if value is not None}
        try:
            return self.accepts.model_validate(given)
        except ValidationError as error:
            raise Reject(
                f"Invalid parameters for {self.name}: {explain(error, self.spec.parameters)}"
            ) from error

    def _outcome(self, error: Exception, effect: Effect) -> Retry | Reject:
        what = SECRETS.text(clean_text(str(error)))
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
    """Return the result as JSON that can be stored, without secrets.

    Raises:
        ValueError: a number is not JSON, or the nesting is too deep.
        orjson.JSONEncodeError: a value is not JSON.
    """
    try:
        written = orjson.dumps(result)
    except orjson.JSONEncodeError:
        written = orjson.dumps(_checked(result))
    else:
        if _may_need_checks(written):
            written = orjson.dumps(_checked(result))
    return orjson.loads(SECRETS.json(written))


def _may_need_checks(written: bytes) -> bool:
    """Whether a result may hold NaN, which is written as null, a NUL, or too many levels. Most hold none."""
    return (
        b"null" in written or rb"\u0000" in written or written.count(b"[") + written.count(b"{") > MAX_DEPTH
    )


def _checked(result: Json) -> Json:
    if depth(result) > MAX_DEPTH:
        raise ValueError(f"its result is nested more than {MAX_DEPTH} levels deep")
    clean = clean_json(result)
    require_storable(clean)
    return clean
