"""The result of a run of a goal, by an agent or by a plan. Pure.

Clients see a suspended run of a goal as failed. It can be resumed, and so can a failed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.core.event import Json
from contracts.domain import dag, run
from contracts.domain.memory import Kind, Memory
from contracts.domain.run import Loop, Output
from contracts.domain.run.steps import SYNTHESIS, as_text
from contracts.domain.webhook import url_for
from executor.goal.remember import NAME as REMEMBER

SHOWN = {
    run.Status.COMPLETED: run.Status.COMPLETED,
    run.Status.FAILED: run.Status.FAILED,
    run.Status.SUSPENDED: run.Status.FAILED,
}
"""The statuses of ended runs, and the status that clients see."""
CANCELLED_STATUS = 409
"""HTTP status of a plan that was cancelled."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run."""

    run_id: str
    goal_id: str
    objective: str
    status: run.Status
    webhook_url: str | None = None
    summary: str | None = None
    error: str | None = None
    steps: int = 0
    """Number of executed steps."""
    outputs: tuple[Output, ...] = ()
    facts: tuple[str, ...] = ()
    kept_outputs: int = 0
    """Number of `outputs` of which an earlier end has left memories."""
    number: int = 0
    """Number of earlier ends, after which the run was resumed."""
    is_final: bool = True
    """Whether the run leaves memories: it is not suspended."""
    is_untrusted: bool = True
    """Whether something from outside may be in its results."""

    @property
    def webhook_key(self) -> str:
        """The idempotency key of the webhook call."""
        return f"{self.run_id}/webhook" + (f"/{self.number}" if self.number else "")

    def memories(self) -> list[Memory]:
        """The memories of the run since it was last resumed; the summary is last."""
        files = [one.content for one in self.outputs[self.kept_outputs :] if one.kind == "file"]
        left = [(Kind.ARTIFACT, path) for path in files] + [(Kind.FACT, fact) for fact in self.facts]
        notes = [] if self.summary is None else [(Kind.NOTE, self.summary)]
        return [
            Memory(type=kind, content=text, run_id=self.run_id, untrusted=self.is_untrusted)
            for kind, text in [*left, *notes]
        ]

    def payload(self) -> dict[str, Json]:
        """The payload of the webhook call, the same in every attempt."""
        return {
            "type": f"run.{self.status.value}",
            "data": {
                "runId": self.run_id,
                "goalId": self.goal_id,
                "objective": self.objective,
                "status": self.status.value,
                "summary": self.summary,
                "error": self.error,
                "stepsExecuted": self.steps,
                "outputs": [_told(one) for one in self.outputs],
            },
        }


def _told(output: Output) -> dict[str, Json]:
    told: dict[str, Json] = {"kind": output.kind, "pathOrPayload": output.content}
    return {**told, "inherited": "original"} if output.inherited else told


def result_of(run_id: str, state: run.State) -> RunResult | None:
    """The result of a run; None if it has not ended or has no goal. The report must be fetched already."""
    if state.status not in SHOWN or state.goal_id is None:
        return None
    if state.loop:
        return _of_loop(run_id, state, state.loop)
    return _of_plan(run_id, state, state.request, state.goal_id) if state.request else None


def result_without_plan(requested: dag.Requested | None, rejected: dag.Rejected) -> RunResult | None:
    """The result of a run whose plan was rejected; None if it was cancelled or has no goal."""
    if requested is None or rejected.http_status == CANCELLED_STATUS:
        return None
    if requested.run_id is None or requested.goal_id is None:
        return None
    return RunResult(
        run_id=requested.run_id,
        goal_id=requested.goal_id,
        objective=requested.goal_text,
        status=run.Status.FAILED,
        webhook_url=url_for("ended", requested),
        error=rejected.error,
    )


def _of_loop(run_id: str, state: run.State, loop: Loop) -> RunResult:
    before, since = loop.turns[: loop.resumed_after], loop.turns[loop.resumed_after :]
    earlier, newer = _answers(before), _answers(since)
    return RunResult(
        run_id=run_id,
        goal_id=loop.request.goal_id,
        objective=loop.request.objective,
        status=SHOWN[state.status],
        webhook_url=url_for("ended", loop.request),
        summary=loop.summary,
        error=loop.error,
        steps=len(loop.turns),
        outputs=(*_outputs(earlier), *_outputs(newer)),
        kept_outputs=len(_outputs(earlier)),
        facts=tuple(
            str(call.arguments["fact"])
            for call, answer in newer
            if call.name == REMEMBER and answer.error is None and "fact" in call.arguments
        ),
        number=state.resumes,
        is_untrusted=bool(state.untrusted),
    )


def _answers(turns: Sequence[run.Turn]) -> list[tuple[run.Call, run.CallResult]]:
    """The tool calls of turns that have ended, in order."""
    return [
        (turn.taken.calls[position], answer)
        for turn in turns
        for position, answer in sorted(turn.answers.items())
    ]


def _outputs(answers: Sequence[tuple[run.Call, run.CallResult]]) -> tuple[Output, ...]:
    return tuple(answer.output for _, answer in answers if answer.output)


def _of_plan(run_id: str, state: run.State, request: run.Requested, goal_id: str) -> RunResult:
    return RunResult(
        run_id=run_id,
        goal_id=goal_id,
        objective=request.original_request,
        status=SHOWN[state.status],
        webhook_url=url_for("ended", request),
        summary=as_text(state.done[SYNTHESIS]) if SYNTHESIS in state.done else None,
        error=state.suspended,
        steps=sum(step in state.done for step in state.graph.tasks),
        outputs=state.outputs,
        number=state.resumes,
        is_final=state.status is not run.Status.SUSPENDED,
        is_untrusted=bool(state.untrusted),
    )
