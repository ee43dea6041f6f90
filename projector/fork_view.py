"""Folds the results that forks inherit. They have no cost."""

from __future__ import annotations

from typing import Any

from contracts.domain import run
from contracts.views import run_steps
from projector.agent_run_view import call_row, turn_row
from projector.changes import Changes
from projector.fold import EventMeta, Fold
from projector.run_rows import GIVEN, ORIGINAL, add_output, change

fold = Fold()


@fold.on(run.Inherited)
def inherited(changes: Changes, meta: EventMeta, event: run.Inherited) -> None:
    """Store inherited results: of the steps of a plan, or of the turns of an agent."""
    for step in event.steps:
        values = {
            "status": "completed",
            "completed_at": meta.at,
            "result": step.result,
            "inherited": GIVEN if step.given else ORIGINAL,
        }
        changes.update(run_steps, (meta.id, step.step), values)
        if step.output:
            add_output(changes, meta, step.step, step.output)
    for number, turn in enumerate(event.turns, start=1):
        _turn(changes, meta, number, turn)
    change(changes, meta, add={"completed_steps": len(event.steps) + len(event.turns)})


def _turn(changes: Changes, meta: EventMeta, number: int, turn: run.InheritedTurn) -> None:
    row = turn_row(meta, number, turn.thought, turn.finish_reason)
    changes.insert(run_steps, {**row, "inherited": ORIGINAL})
    answers = {answer.position: answer for answer in turn.answers}
    for position, call in enumerate(turn.calls):
        row = call_row(meta, number, position, call)
        answer = answers.get(position)
        changes.insert(run_steps, row if answer is None else {**row, **_answered(meta, answer)})
        if answer and answer.output:
            add_output(changes, meta, run.call_step(number, position), answer.output)


def _answered(meta: EventMeta, answer: run.InheritedAnswer) -> dict[str, Any]:
    return {
        "status": "completed" if answer.error is None else "failed",
        "completed_at": meta.at,
        "result": answer.result,
        "error": answer.error,
        "inherited": GIVEN if answer.given else ORIGINAL,
    }
