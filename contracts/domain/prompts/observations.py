"""Tool calls of a goal run and what came of them, in the forms that clients and models read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.core.event import Json
from contracts.domain.run.steps import as_text


@dataclass(frozen=True, slots=True)
class Observed:
    """A call that has its answer; a large result has been fetched."""

    turn: int
    """From 1."""
    position: int
    """In the turn, from 0."""
    tool: str
    arguments: Mapping[str, Json]
    result: Json = None
    error: str | None = None

    @property
    def key(self) -> str:
        """Its name in the working memory."""
        return f"step_{self.turn}_{self.tool}_{self.position}"

    @property
    def text(self) -> str:
        """What the model is told."""
        return as_text(self.result) if self.error is None else f"Error: {self.error}"


def observation(calls: Sequence[Observed]) -> str | None:
    """What a turn saw: `[tool] result`, successes first; None when it called nothing."""
    in_order = sorted(calls, key=lambda call: (call.error is not None, call.position))
    return "\n\n".join(f"[{call.tool}] {call.text}" for call in in_order) or None


def shown_call(calls: Iterable[Observed]) -> Observed | None:
    """The call that stands for its turn: the first that succeeded."""
    return next((call for call in sorted(calls, key=lambda call: call.position) if call.error is None), None)


def failure(calls: Sequence[Observed]) -> str | None:
    """The errors of a turn of which every call failed."""
    errors = [call.error for call in calls if call.error is not None]
    return "; ".join(errors) if errors and len(errors) == len(calls) else None


def working_memory(calls: Iterable[Observed], summary: str | None = None) -> dict[str, Json]:
    """Every result by its key, and the summary once there is one."""
    results = {call.key: call.result for call in calls if call.error is None}
    return results if summary is None else {**results, "summary": summary}
