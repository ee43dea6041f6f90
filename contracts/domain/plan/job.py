"""The job: a plan as the model returns it, and as it is stored and shown.

Parsing normalises dependencies: `none` never appears beside ids, and each id is spelled as its sub-task
spells it (`001`, not `1`).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from contracts.core.event import Json
from contracts.domain.budget import Budget
from contracts.domain.outward import OutwardCalls
from contracts.domain.plan.placeholders import id_key

NO_DEPENDENCY = "none"
"""The value in `dependencies` of a sub-task without dependencies."""
_NONE = (NO_DEPENDENCY,)

_CONFIG = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, defer_build=True)


def _ids_or_none(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The ids without duplicates, and without `none` if there are ids."""
    exact = dict.fromkeys([task_id for task_id in ids if task_id.lower() != NO_DEPENDENCY])
    if not exact:
        return _NONE if ids else ids
    return ids if len(exact) == len(ids) else tuple(exact)


def _absent_is_empty(value: Json) -> Json:
    return {} if value is None else value


class Intent(BaseModel):
    """What the request is about."""

    model_config = _CONFIG

    primary: str
    """The main category of the goal."""
    sub_intents: tuple[str, ...]
    """One to three more specific intents."""


class Entity(BaseModel):
    """A fact or constraint found in the request."""

    model_config = _CONFIG

    entity: str
    type: str
    grounded_value: str
    """The value made concrete: dates as dates, units spelled out."""


class ToolOrPrompt(BaseModel):
    """The tool or agent that a sub-task calls."""

    model_config = _CONFIG

    name: str
    """The name of a tool; for inference, the name of an agent."""
    params: Annotated[dict[str, Json], BeforeValidator(_absent_is_empty)] = Field(default_factory=dict)
    """The parameters of the tool; for inference, `prompt` is the instruction."""


class SubTask(BaseModel):
    """One step of the plan."""

    model_config = _CONFIG

    id: str
    description: str
    thought: str
    """Why the step is needed."""
    action_type: Literal["tool", "inference"]
    tool_or_prompt: ToolOrPrompt
    expected_output: str
    dependencies: Annotated[tuple[str, ...], AfterValidator(_ids_or_none)]
    """Ids of the sub-tasks whose results this one needs, or `none`."""
    approval: bool = Field(default=False, exclude_if=operator.not_)
    """Whether a person must approve the tool call first, with its final parameters."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the sub-tasks that must have completed before this one."""
        return () if self.dependencies == _NONE else self.dependencies

    @property
    def is_inference(self) -> bool:
        """Whether a model executes the sub-task; otherwise a tool does."""
        return self.action_type == "inference" or self.tool_or_prompt.name == "inference"

    @classmethod
    def synthesis(cls, task_id: str, plan: str, dependencies: Sequence[str]) -> SubTask:
        """The last step of every run. It merges all results as `plan` says."""
        call = ToolOrPrompt.model_construct(name="__synthesis__", params={"taskCount": len(dependencies)})
        return cls.model_construct(
            id=task_id,
            description="Final synthesis of all task results",
            thought="Aggregating results into final output",
            action_type="inference",
            tool_or_prompt=call,
            expected_output=plan,
            dependencies=tuple(dependencies),
        )


class Validation(BaseModel):
    """The model's assessment of its own plan."""

    model_config = _CONFIG

    coverage: str = ""
    """`high` when the plan covers the whole request, else `medium` or `low`."""
    gaps: tuple[str, ...] = ()
    """What is missing."""
    iteration_triggers: tuple[str, ...] = ()
    """What would make a new plan necessary."""


class Job(BaseModel):
    """A goal split into sub-tasks for tools and models, and how their results become one answer."""

    model_config = _CONFIG

    original_request: str
    """The request in the model's words."""
    intent: Intent
    entities: tuple[Entity, ...]
    sub_tasks: tuple[SubTask, ...]
    outward_calls: OutwardCalls | None = None
    """What happens to tool calls that send something to others: `allow`, `ask-tainted`, `ask` or `forbid`. It
    can only be stricter than the setting OUTWARD_CALLS; null: as the setting says."""
    budget: Budget | None = None
    """What a run of the plan may spend; null: it has no limits."""
    approvals: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Names of the tools of which a person must approve each call first, with its final parameters."""
    synthesis_plan: str = ""
    """How the results are merged into the final answer."""
    validation: Validation = Validation()
    clarification_needed: bool = False
    clarification_query: str | None = Field(default=None, validate_default=True)
    """The question to the user if the request is not clear enough to be planned."""

    @property
    def is_complete(self) -> bool:
        """Whether the model says that the plan covers the request."""
        return self.validation.coverage == "high"

    def as_json(self) -> dict[str, Json]:
        """The job as the API shows it, without nulls."""
        return self.model_dump(mode="json", exclude_none=True)

    @field_validator("sub_tasks")
    @classmethod
    def _dependencies_name_exact_ids(cls, tasks: tuple[SubTask, ...]) -> tuple[SubTask, ...]:
        ids = {task.id for task in tasks}
        if all(ids.issuperset(task.needs) for task in tasks):
            return tasks
        exact = {id_key(task_id): task_id for task_id in ids}
        return tuple(_with_exact_dependencies(task, exact, ids) for task in tasks)

    @field_validator("clarification_query")
    @classmethod
    def _a_needed_clarification_is_asked(cls, query: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("clarification_needed") and not (query and query.strip()):
            raise PydanticCustomError(
                "custom", "clarification_query must ask the question when clarification_needed is true"
            )
        return query


def _with_exact_dependencies(task: SubTask, exact: dict[str, str], ids: set[str]) -> SubTask:
    named = (d if d in ids else exact.get(id_key(d), d) for d in task.dependencies)
    return task.model_copy(update={"dependencies": tuple(dict.fromkeys(named))})
