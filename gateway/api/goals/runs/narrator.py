"""The commits of a run of a goal as the events that its clients see, however the goal is pursued.

Pure: no clock, no I/O. A run by an agent's turns is told by `turns`. A run by a plan is told from the
request for its plan on; once it is an execution, by the executions' narrator in the words of runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.api.fields import epoch_ms
from contracts.core.commit import Commit, Recorded
from contracts.domain import dag, run
from contracts.domain.awaiting_plan import plan_id
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from gateway.api.executions.narrator import ExecutionNarrator
from gateway.api.goals.runs.presenters import RUN_STATUS
from gateway.api.goals.runs.turns import Named, Turns
from gateway.streams.narration import Told

ENDINGS = frozenset({"run.completed", "run.failed"})
"""Events after which nothing more happens."""
NOWHERE: Told = {"status": "pending", "stepsExecuted": 0, "stepBudget": 0}


class Teller(Protocol):
    """Tells the commits of one aggregate."""

    @property
    def is_known(self) -> bool:
        """Whether there is a run."""
        ...

    @property
    def standing(self) -> Told:
        """Where it stands."""
        ...

    def naming(self, step: str) -> Told:
        """How events name a step."""
        ...

    def tell(self, commit: Commit) -> Named:
        """What clients see of the next commit."""
        ...


class RunNarrator:
    """Tells a run of a goal; see Narration."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.seq = 0
        self.ending: Told | None = None
        self._versions: dict[str, int] = {}
        """Position of the last event told, by the name of its aggregate."""
        self._teller: Teller = Awaited(run_id)

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """The plan that the run may wait for, then the run itself."""
        return (DAG.name, plan_id(self.run_id)), (RUN.name, self.run_id)

    @property
    def is_known(self) -> bool:
        """See Narration."""
        return self._teller.is_known

    @property
    def standing(self) -> Told:
        """See Narration."""
        return self._teller.standing

    def follows(self, recorded: Recorded) -> bool:
        """See Narration."""
        return recorded.commit.version == self._versions.get(recorded.commit.aggregate, 0) + 1

    def tell(self, recorded: Recorded) -> list[Told]:
        """See Narration."""
        commit = recorded.commit
        self.seq = recorded.seq
        self._versions[commit.aggregate] = commit.last_version
        match commit.events[0]:
            case run.GoalRequested():
                self._teller = Turns()
            case run.Requested(goal_id=str()):
                self._teller = Execution(self.run_id)
        if commit.aggregate == DAG.name and not isinstance(self._teller, Awaited):
            return []
        at = epoch_ms(commit.time)
        told = [self.event(name, at, fields) for name, fields in self._teller.tell(commit)]
        self.ending = next((one for one in told if one["type"] in ENDINGS), self.ending)
        return told

    def event(self, name: str, at: int, fields: Told) -> Told:
        """See Narration."""
        return {"type": name, "runId": self.run_id, "timestamp": at, **fields}

    def update(self, at: int, standing: Told | None = None) -> Told:
        """See Narration."""
        return self.event("run.updated", at, standing or self.standing)

    def naming(self, step: str) -> Told:
        """See Narration."""
        return self._teller.naming(step)


class Awaited:
    """A run whose plan is being made, or that is not there at all."""

    def __init__(self, run_id: str) -> None:
        self.is_known = False
        self.standing = NOWHERE
        self._run_id = run_id
        self._over = False

    def naming(self, step: str) -> Told:
        """It has no steps yet."""
        return {"stepId": step}

    def tell(self, commit: Commit) -> Named:
        """What becomes of the plan, or what a client does to the run meanwhile."""
        for event in commit.events:
            match event:
                case dag.Requested(goal_id=str()) if event.run_id == self._run_id:
                    self.is_known = True
                    named = {"goalId": event.goal_id, "objective": event.goal_text, "strategy": "dag"}
                    yield "run.created", {**named, "dagId": commit.aggregate_id}
                case dag.ClarificationAsked():
                    yield "run.asks", {"dagId": commit.aggregate_id, "question": event.query}
                case dag.Rejected():
                    yield from self._fail({"error": event.error})
                case dag.Deleted():
                    yield from self._fail({"error": "its plan was deleted"})
                case run.Cancelled(reason=reason):
                    yield from self._fail({"error": f"cancelled: {reason}", "cancelledReason": reason})
                case run.Deleted():
                    self.is_known = False
                    yield "run.deleted", {}

    def _fail(self, why: Told) -> Named:
        if not self._over:
            self._over = True
            self.standing = {**NOWHERE, "status": "failed"}
            yield "run.failed", {**self.standing, **why}


class Execution:
    """A run that is the execution of a plan."""

    def __init__(self, run_id: str) -> None:
        self._narrator = ExecutionNarrator(run_id)
        self._numbers: dict[str, int] = {}
        """The steps' places in the order of their ids."""

    @property
    def is_known(self) -> bool:
        """Whether it is there and was not deleted."""
        return self._narrator.is_known

    @property
    def standing(self) -> Told:
        """Where it stands."""
        return {**self._renamed(self._narrator.standing), "stepBudget": len(self._numbers)}

    def naming(self, step: str) -> Told:
        """By its number and by its id in the plan."""
        return {"stepNo": self._numbers.get(step), "stepId": step}

    def tell(self, commit: Commit) -> Named:
        """What clients of the execution see, in the words of runs."""
        for event in commit.events:
            if isinstance(event, run.Requested):
                ids = sorted(task.id for task in event.job.sub_tasks)
                self._numbers = {id_: number for number, id_ in enumerate(ids, start=1)}
        for told in self._narrator.tell(Recorded(0, commit)):
            yield _name(told["type"]), self._renamed(told)

    def _renamed(self, told: Told) -> Told:
        fields = {_FIELDS.get(name, name): value for name, value in told.items() if name not in _OTHERS}
        if "status" in fields:
            fields["status"] = RUN_STATUS.get(fields["status"], fields["status"])
        return fields | (self.naming(told["subStepId"]) if "subStepId" in told else {})


def _name(of_execution: str) -> str:
    if of_execution == "execution.created":  # the run was there before
        return "run.planned"
    subject, _, what = of_execution.partition(".")
    return f"{_SUBJECTS[subject]}.{what}"


_SUBJECTS = {"execution": "run", "substep": "step"}
_FIELDS = {
    "originalRequest": "objective",
    "totalTasks": "stepBudget",
    "completedTasks": "stepsExecuted",
    "failedTasks": "stepsFailed",
    "waitingTasks": "stepsWaiting",
    "finalResult": "summary",
}
_OTHERS = frozenset({"type", "executionId", "timestamp", "subStepId", "taskId"})
