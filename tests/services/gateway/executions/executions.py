"""Plans of executions, and executions as executors leave them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.core.event import Json, Usage
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITE_FILE = ToolSpec(
    name="writeFile",
    description="writes",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
        "additionalProperties": False,
    },
    effect=Effect.IDEMPOTENT,
)


def task(task_id: str, *dependencies: str, **changes: Any) -> dict[str, Any]:
    given = {
        "id": task_id,
        "description": f"write {task_id}",
        "thought": "needed",
        "action_type": "tool",
        "tool_or_prompt": {"name": "writeFile", "params": {"path": "a.md", "content": "x"}},
        "expected_output": "a file",
        "dependencies": list(dependencies) or ["none"],
    }
    return given | changes


def inference(task_id: str, *dependencies: str) -> dict[str, Any]:
    call = {"name": "inference", "params": {"prompt": "think"}}
    return task(task_id, *dependencies, action_type="inference", tool_or_prompt=call)


def job(*tasks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    usual = {"synthesis_plan": "", "validation": {"coverage": "high"}}
    return jobs.job_json(*(tasks or [task("001")]), **usual | changes)


def requested(*tasks: dict[str, Any]) -> run.Requested:
    plan = Job.model_validate(job(*tasks))
    return run.Requested(dag_id="d1", dag_title="A title", original_request="do it", job=plan)


STARTED = run.Started(executor="e", at=NOW, synthesis="merge")


def done(step: str, result: Json, **changes: Any) -> run.StepCompleted:
    return run.StepCompleted(step=step, result=result, duration_ms=5, **changes)


async def suspended(api: Api, run_id: str, *tasks: dict[str, Any]) -> None:
    """A run whose first step has failed."""
    await api.write(RUN, run_id, requested(*tasks))
    await api.write(RUN, run_id, STARTED, run.StepsStarted(steps=("001",)))
    failed = run.StepFailed(step="001", attempt=1, error="no such file")
    await api.write(RUN, run_id, failed, run.Suspended(reason="no such file"))


async def completed(api: Api, run_id: str) -> None:
    """A run of a tool step and an inference."""
    usage = Usage(prompt_tokens=11, completion_tokens=7)
    await api.write(RUN, run_id, requested(task("001"), inference("002", "001")))
    await api.write(RUN, run_id, STARTED, run.StepsStarted(steps=("001",)))
    await api.write(RUN, run_id, done("001", {"path": "a.md"}), run.StepsStarted(steps=("002",)))
    await api.write(RUN, run_id, done("002", "thought", usage=usage, cost_usd="0.0012", model="m"))
    end = run.Completed(completed_steps=2, duration_ms=58)
    await api.write(RUN, run_id, done(SYNTHESIS, "the report", usage=usage), end)
