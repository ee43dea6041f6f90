"""The results of the tool calls of a goal run, in the formats for clients and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.core.event import Json
from contracts.domain.run.steps import as_text


@dataclass(frozen=True, slots=True)
class Observed:
    """A finished tool call. A large result is already fetched."""

    turn: int
    """Number of the turn, from 1."""
    position: int
    """Position of the call in the turn, from 0."""
    tool: str
    arguments: Mapping[str, Json]
    result: Json = None
    error: str | None = None

    @property
    def key(self) -> str:
        """The key of the result in the working memory."""
        return f"step_{self.turn}_{self.tool}_{self.position}"

    @property
    def text(self) -> str:
        """The text for the model: the result or the error."""
        return as_text(self.result) if self.error is None else f"Error: {self.error}"


def observation(calls: Sequence[Observed]) -> str | None:
    """The results of a turn as `[tool] result`, successes first; None if there were no calls."""
    in_order = sorted(calls, key=lambda call: (call.error is not None, call.position))
    return "\n\n".join(f"[{call.tool}] {call.text}" for call in in_order) or None


def shown_call(calls: Iterable[Observed]) -> Observed | None:
    """The call that represents its turn: the first successful one, or None."""
    return next((call for call in sorted(calls, key=lambda call: call.position) if call.error is None), None)


def failure(calls: Sequence[Observed]) -> str | None:
    """The joined errors of a turn if all its calls failed, else None."""
    errors = [call.error for call in calls if call.error is not None]
    return "; ".join(errors) if errors and len(errors) == len(calls) else None


def working_memory(calls: Iterable[Observed], summary: str | None = None) -> dict[str, Json]:
    """All successful results by key, and the `summary` if there is one."""
    results = {call.key: call.result for call in calls if call.error is None}
    return results if summary is None else {**results, "summary": summary}
