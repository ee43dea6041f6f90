"""The attempts at a step, folded from the commits of its run. This module does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from contracts.api.attempts import AttemptOutcome, StepAttempt
from contracts.api.costs import TokenUsage
from contracts.api.fields import epoch_ms
from contracts.core.commit import Commit
from contracts.core.event import BlobRef, Event
from contracts.core.money import pico_usd
from contracts.domain import run

STOPS: tuple[type[Event], ...] = (run.Suspended, run.Cancelled, run.Failed, run.Completed)
"""Events after which no attempt is in progress."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts at one step."""

    rows: list[StepAttempt]
    """Oldest first."""
    prompts: dict[int, BlobRef]
    """The requests to models, by number of the attempt."""


@dataclass(slots=True)
class _Fold:
    """The attempts at one step so far, and the executor of the run."""

    step: str
    executor: str | None = None
    attempts: list[StepAttempt] = field(default_factory=list)
    prompts: dict[int, BlobRef] = field(default_factory=dict)

    def apply(self, event: Event, at: datetime) -> None:
        match event:
            case run.Started() | run.GoalStarted() | run.Continued():
                self.executor = event.executor
            case run.TakenOver():
                self._end(at, "lost", error="its executor stopped responding")
                self.executor = event.executor
            case run.StepsStarted() if self.step in event.steps:
                self._end(at, "lost")
                self._begin(event, at)
            case run.StepFailed() if event.step == self.step:
                self._failed(event, at)
            case run.Asked() if event.step == self.step:
                self._end(at, "asked")
            case run.StepCompleted() | run.TurnTaken() | run.CallAnswered() | run.Summarised() if (
                event.step == self.step
            ):
                self._completed(event, at)
        if isinstance(event, STOPS):
            self._end(at, "stopped")

    @property
    def _open(self) -> StepAttempt | None:
        return self.attempts[-1] if self.attempts and self.attempts[-1].outcome == "running" else None

    def _begin(self, event: run.StepsStarted, at: datetime) -> None:
        before = self.attempts[-1].ended_at if self.attempts else None
        attempt = StepAttempt(
            number=len(self.attempts) + 1,
            executor=self.executor,
            started_at=epoch_ms(at),
            waited_ms=None if before is None else epoch_ms(at) - before,
            untrusted=self.step in event.untrusted,
            outward=event.outward.get(self.step),
        )
        self.attempts.append(attempt)

    def _end(self, at: datetime, outcome: AttemptOutcome, **values: object) -> None:
        if open_ := self._open:
            ended = {"ended_at": epoch_ms(at), "outcome": outcome, **values}
            self.attempts[-1] = open_.model_copy(update=ended)

    def _completed(self, event: run.CompletionEvent, at: datetime) -> None:
        known = self._known(event) if isinstance(event, run.Prompted) else {}
        self._end(at, "completed", duration_ms=event.duration_ms, **known)

    def _known(self, event: run.Prompted) -> dict[str, object]:
        """What the attempt in progress sent to a model and what it cost."""
        prompt = BlobRef.of(event.prompt)
        if self._open and prompt:
            self.prompts[self._open.number] = prompt
        usage = event.usage
        return {
            "usage": TokenUsage.of(usage.prompt_tokens, usage.completion_tokens) if usage else None,
            "cost_usd": pico_usd(event.cost_usd),
            "provider": event.provider,
            "model": event.model,
            "has_prompt": prompt is not None,
        }

    def _failed(self, event: run.StepFailed, at: datetime) -> None:
        """A failure after a takeover says why the attempt that the dead executor made is lost."""
        retry_at = epoch_ms(event.retry_at) if event.retry_at else None
        values = {
            "error": event.error,
            "duration_ms": event.duration_ms,
            "retry_at": retry_at,
        }
        if self._open:
            self._end(at, "failed", **values, **self._known(event))
        elif self.attempts and self.attempts[-1].outcome in {"lost", "stopped"}:
            self.attempts[-1] = self.attempts[-1].model_copy(update={"error": event.error})


def attempts_at(step: str, commits: Iterable[Commit]) -> Attempts:
    """Fold the attempts at a step."""
    fold = _Fold(step)
    for commit in commits:
        for event in commit.events:
            fold.apply(event, commit.time)
    return Attempts(fold.attempts, fold.prompts)
