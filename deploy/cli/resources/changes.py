"""Options of commands that fork a run: what changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from contracts.api.forks import ForkRun, StepFork
from contracts.core.event import Json
from deploy.cli.resources.command import Unusable, body, json_of, object_of
from deploy.cli.resources.limits import limits_of

STEP = "STEP is the id of a step, or of a tool call of an agent, such as 3.0"

From = Annotated[
    list[str] | None,
    typer.Option("--from", help="Run again from this step or turn; repeat for more steps."),
]
Params = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP=JSON", help=f"All parameters of a step. {STEP}. Repeatable."),
]
Result = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP=VALUE", help="The result of a step, which does not run. Repeatable."),
]
Instruct = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP=TEXT", help="The instruction of an inference or the report. Repeatable."),
]
AgentOf = Annotated[
    list[str] | None, typer.Option(metavar="STEP=NAME", help="The agent of an inference. Repeatable.")
]
AnyAgent = Annotated[
    str | None, typer.Option("--agent", help="Agent of all inferences that run again, or of the turns.")
]
Provider = Annotated[str | None, typer.Option(help="Provider of the model.")]
Model = Annotated[str | None, typer.Option(help="Model of all inferences that run again, or of the turns.")]
Replace = Annotated[bool, typer.Option("--replace", help="Cancel the original, which has not ended.")]
ForkKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="Repeating the command with the same key starts nothing twice."),
]


def steps_of(
    params: Sequence[str] | None = None,
    result: Sequence[str] | None = None,
    instruct: Sequence[str] | None = None,
    agent_of: Sequence[str] | None = None,
) -> dict[str, StepFork]:
    """Return the changes by step.

    Raises:
        Unusable: an option has another form.
    """
    given: dict[str, dict[str, Json]] = {}
    for id_, text in _pairs("params", params):
        given.setdefault(id_, {})["params"] = object_of(text, f"--params {id_}")
    for id_, text in _pairs("result", result):
        given.setdefault(id_, {})["result"] = _value(text)
    for id_, text in _pairs("instruct", instruct):
        given.setdefault(id_, {})["instruction"] = text
    for id_, text in _pairs("agent-of", agent_of):
        given.setdefault(id_, {})["agent"] = text
    return {id_: StepFork.model_validate(fields) for id_, fields in given.items()}


def fork_of(
    start: Sequence[str] | None, steps: dict[str, StepFork], limits: Sequence[str] | None, **given: Json
) -> ForkRun:
    """Return the body of a request for a fork. `limits`: of its budget, such as `usd=0.5`.

    Raises:
        Unusable: a limit has another form.
    """
    changed = {id_: one.model_dump(by_alias=True, exclude_unset=True) for id_, one in steps.items()}
    given |= limits_of(None, None, limits)
    return body(ForkRun, **{"from": list(start or ())}, steps=changed or None, **given)


def _pairs(option: str, values: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    for value in values or ():
        id_, equals, text = value.partition("=")
        if not (id_ and equals):
            raise Unusable(f"--{option} {value}: write it as STEP=…; {STEP}")
        yield id_, text


def _value(text: str) -> Json:
    """JSON, or else the text itself."""
    try:
        return json_of(text, "")
    except Unusable:
        return text
