"""Forks of executions and runs over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.api.fields import Absent, Body, NonEmpty, NotBlank, Omissible, Row
from contracts.api.numbers import INTEGRAL
from contracts.core.event import Json
from contracts.domain.budget import Budget
from contracts.domain.run import Changes, Given, StepChange

LONGEST_INSTRUCTION = 100_000
"""Maximum characters of an instruction."""

LONGEST_STEP = 64
"""Maximum characters of a step id."""

Instruction = Annotated[NotBlank, Field(max_length=LONGEST_INSTRUCTION)]


class StepFork(Body):
    """What changes about one step of a plan, or one tool call of an agent (`3.0`: the first of turn 3)."""

    params: Omissible[dict[str, Json]] = None
    """All parameters of the tool or inference. They are validated against the tool's schema."""
    result: Json = None
    """The result. The step does not run; the steps that use its result do."""
    instruction: Omissible[Instruction] = None
    """The instruction of an inference, or of the report (`__SYNTHESIS__`)."""
    agent: Omissible[NonEmpty] = None
    """Name of the agent of an inference."""

    def as_change(self) -> StepChange:
        """Return the change of the domain. A result may be null."""
        result = Given(self.result) if "result" in self.model_fields_set else None
        return StepChange(self.params, self.agent, self.instruction, result)


From = Annotated[NonEmpty, Field(max_length=LONGEST_STEP)] | Annotated[int, Field(ge=1)]
"""The id of a step, or the number of a turn."""


def _is_from(given: Json) -> Json:
    """`given`, checked as a whole: the errors of a union name its members, which no client knows."""
    for one in given if isinstance(given, list) else [given]:
        is_step = isinstance(one, str) and 1 <= len(one) <= LONGEST_STEP
        if not is_step and (not isinstance(one, int) or isinstance(one, bool) or one < 1):
            raise ValueError(f"{str(one)[:80]!r} is not a step id, the number of a turn, or a list of them")
    return given


class ForkRun(Body):
    """What the fork changes. It runs the changed steps and everything downstream, and inherits the rest."""

    from_: Annotated[Omissible[From | list[From]], BeforeValidator(_is_from), Field(alias="from")] = None
    """Of a plan: the steps from which the fork runs again. Of an agent: number of the turn, or `summary`."""
    steps: Omissible[dict[str, StepFork]] = None
    """Changes by step, or by tool call of one turn."""
    instruction: Omissible[Instruction] = None
    """Of an agent: the objective."""
    agent: Omissible[NonEmpty] = None
    """Name of the active agent of all inferences that run again, or that takes the turns. Without `from` and
    `steps`, all inferences of a plan run again."""
    provider: Omissible[NonEmpty] = None
    model: Omissible[NonEmpty] = None
    """Model of all inferences that run again, and of the report, or of the turns."""
    step_budget: Omissible[Annotated[int, Field(gt=0, le=100_000), INTEGRAL]] = None
    """Of an agent: the maximum number of turns, with the inherited ones."""
    budget: Omissible[Budget] = None
    """What the fork may spend. Omitted limits are those that the original has now; null removes one. A fork
    begins with its whole budget, unless it replaces the original: then what that has spent counts."""
    replace: bool = False
    """Whether the fork replaces the original, which has not ended and is cancelled."""

    def as_changes(self, agent: str | None) -> Changes:
        """Return the changes of the domain, with an agent as they name it."""
        start = [] if self.from_ is None else self.from_ if isinstance(self.from_, list) else [self.from_]
        return Changes(
            start=tuple(map(str, start)),
            steps={id_: one.as_change() for id_, one in (self.steps or {}).items()},
            instruction=self.instruction,
            agent=agent,
            provider=self.provider,
            model=self.model,
            step_budget=self.step_budget,
            budget=self.budget,
        )


class ResumeDag(Body):
    """Corrections. Without them, the execution continues as it is."""

    steps: Omissible[dict[str, StepFork]] = None
    """Changes by step. With them, a fork replaces the execution."""


class Forked(Row):
    """The fork is requested."""

    status: Literal["forked", "replaced"]
    """`replaced`: the original is cancelled."""
    forked_from: str
    execution_id: Absent[str] = None
    """Id of the fork, if an execution was forked."""
    dag_id: Absent[str] = None
    run_id: Absent[str] = None
    """Id of the fork, if a run of a goal was forked."""
    goal_id: Absent[str] = None
    inherited_steps: int
    """Number of steps or turns that the fork does not run."""
    message: str
