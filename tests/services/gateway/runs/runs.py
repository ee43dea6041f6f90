"""Runs of goals, by turns and by a plan, as executors leave them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.core.event import Event, Json, Usage
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.run_requests import plan_id
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNS = "/api/v1/runs"
OBJECTIVE = "Find out what grows here"
USED = Usage(prompt_tokens=11, completion_tokens=7)
STARTED = run.Started(executor="e", at=NOW, synthesis="llm")
GOAL_STARTED = run.GoalStarted(
    executor="e",
    at=NOW,
    agent=run.AgentUsed(id="agent_1", name="A", version_name="2", prompt_template="p"),
    temperature=0.7,
    max_tokens=100,
    remarks=("the tool x is allowed but does not exist",),
)


def wanted(goal_id: str = "goal_1", **given: Any) -> run.GoalRequested:
    return run.GoalRequested(goal_id=goal_id, objective=OBJECTIVE, step_budget=5, **given)


def turn(number: int, *calls: run.Call, **given: Any) -> run.TurnTaken:
    finish = "tool_calls" if calls else "stop"
    usual = {"thought": f"thought {number}", "finish_reason": finish, "usage": USED, "cost_usd": "0.0012"}
    return run.TurnTaken(turn=number, calls=calls, duration_ms=30, **{**usual, **given})


def call(name: str, refusal: str | None = None, **arguments: Json) -> run.Call:
    return run.Call(id=f"call_{name}", name=name, arguments=arguments, refusal=refusal)


def answered(turn: int, position: int, result: Json, **given: Any) -> run.CallAnswered:
    return run.CallAnswered(turn=turn, position=position, result=result, duration_ms=5 + position, **given)


WRITE = call("writeFile", path="g.txt", content="zz")
WRITTEN = {"path": "g.txt", "bytesWritten": 2}
FILE = run.Output(kind="file", content="g.txt")
LEFT = run.Output(kind="file", content="a.md")


async def pursue(api: Api, run_id: str, *commits: tuple[Event, ...]) -> None:
    """A run by turns that has been started."""
    await api.write(RUN, run_id, wanted())
    await api.write(RUN, run_id, GOAL_STARTED, run.StepsStarted(steps=("1",)))
    for events in commits:
        await api.write(RUN, run_id, *events)


async def completed(api: Api, run_id: str) -> None:
    """A run of two turns, the first with a tool call."""
    summary = run.Summarised(summary="all is done", usage=USED, cost_usd="0.0001")
    await pursue(
        api,
        run_id,
        (turn(1, WRITE, provider="ollama", model="m"), run.StepsStarted(steps=("1.0",))),
        (answered(1, 0, WRITTEN, output=FILE), run.StepsStarted(steps=("2",))),
        (turn(2), run.StepsStarted(steps=("summary",))),
        (summary, run.Completed(completed_steps=2, duration_ms=9, outcome_reason="done")),
    )


def job() -> Job:
    tasks = (
        jobs.task("001", "writeFile", {"path": "a.md", "content": "x"}),
        jobs.task("002", "inference", {"prompt": "think"}, needs=("001",)),
        jobs.task("003", "readFile", {"path": "a.md"}, needs=("002",)),
    )
    return jobs.job(*tasks, original_request=OBJECTIVE, synthesis_plan="sum up")


async def planned(api: Api, run_id: str, *commits: tuple[Event, ...]) -> None:
    """A run by a plan: the plan is asked for; if anything is to come, it is made and asked for as a run."""
    asked = dag.Requested(goal_text=OBJECTIVE, agent_name="D", goal_id="goal_1", run_id=run_id)
    await api.write(DAG, plan_id(run_id), asked)
    if commits:
        await api.write(DAG, plan_id(run_id), dag.Planned(job=job()))
        request = run.Requested(
            dag_id=plan_id(run_id), original_request=OBJECTIVE, job=job(), trigger="plan", goal_id="goal_1"
        )
        await api.write(RUN, run_id, request)
        for events in commits:
            await api.write(RUN, run_id, *events)


def done(step: str, result: Json, **given: Any) -> run.StepCompleted:
    return run.StepCompleted(step=step, result=result, duration_ms=5, **given)


async def executed(api: Api, run_id: str) -> None:
    """A run by a plan that has come to its end."""
    report = done(SYNTHESIS, "the report", usage=USED, cost_usd="0.002")
    await planned(
        api,
        run_id,
        (STARTED, run.StepsStarted(steps=("001",))),
        (
            done("001", {"path": "a.md"}, output=LEFT),
            run.StepsStarted(steps=("002",)),
        ),
        (done("002", "thought", usage=USED, cost_usd="0.001", model="m"), run.StepsStarted(steps=("003",))),
        (done("003", {"content": "x"}), run.StepsStarted(steps=(SYNTHESIS,))),
        (report, run.Completed(completed_steps=3, duration_ms=58)),
    )


async def shown(api: Api, path: str) -> Any:
    answer = await api.get(f"{RUNS}/{path}")
    assert answer.status == 200, answer.body
    return answer.json
