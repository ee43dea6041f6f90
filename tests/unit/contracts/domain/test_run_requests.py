"""What is asked for when a goal is pursued, and how its constraints read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.domain import dag, goal, run
from contracts.domain.budget import Budget
from contracts.domain.goal import Params, Status
from contracts.domain.limits import Limits
from contracts.domain.prompts.constraints import as_lines
from contracts.domain.run_requests import Defaults, Trigger, plan_id, pursue
from contracts.domain.schedule.schedule import Schedule

BY_CLOCK = Trigger("schedule", "sched_1", "Europe/Paris")
CONSTRAINTS = {"language": "German", "rules": [{"max": 3}, "be brief"], "none": [], "paid": True, "by": None}


def state(**params: object) -> goal.State:
    given = Params.model_validate(params)
    return goal.State(Status.ACTIVE, "find it", given, "https://a.org/hook", "agent_1")


def test_a_goal_is_pursued_by_turns_as_its_parameters_say() -> None:
    given = state(step_budget=7, allowed_tools=["a"], temperature=0.2, max_tokens=9, constraints={"k": 1})
    asked = pursue("goal_1", given, "run_1", BY_CLOCK, Defaults())
    assert (asked.aggregate, asked.id) == (run.RUN, "run_1")
    assert asked.event == run.GoalRequested(
        goal_id="goal_1",
        objective="find it",
        step_budget=7,
        allowed_tools=("a",),
        constraints={"k": 1},
        temperature=0.2,
        max_tokens=9,
        agent_id="agent_1",
        webhook_url="https://a.org/hook",
        trigger="schedule",
        schedule_id="sched_1",
        timezone="Europe/Paris",
    )


@pytest.mark.parametrize("strategy", ["agent", "dag"])
def test_a_run_by_the_clock_has_the_limits_of_its_goal(strategy: str) -> None:
    limits = Limits(Budget(steps=3), "ask", ("sendEmail",))
    asked = pursue("goal_1", state(strategy=strategy, **limits._asdict()), "run_1", BY_CLOCK, Defaults())
    assert isinstance(asked.event, run.GoalRequested | dag.Requested)
    assert Limits.of(asked.event) == limits


def test_parameters_that_a_goal_omits_come_from_the_settings() -> None:
    asked = pursue("goal_1", state(), "run_1", Trigger(), Defaults(step_budget=4))
    assert isinstance(asked.event, run.GoalRequested)
    assert (asked.event.step_budget, asked.event.temperature, asked.event.trigger) == (4, None, "api")


def test_a_goal_is_pursued_by_a_plan_that_becomes_the_run() -> None:
    given = state(strategy="dag", constraints={"k": 1}, allowed_tools=["a"])
    asked = pursue("goal_1", given, "run_1", Trigger(), Defaults(planner_agent="P"))
    assert (asked.aggregate, asked.id) == (dag.DAG, plan_id("run_1"))
    assert asked.event == dag.Requested(
        goal_text="find it\n\nConstraints:\n- k: 1",
        agent_name="P",
        run_id="run_1",
        goal_id="goal_1",
        webhook_url="https://a.org/hook",
        allowed_tools=("a",),
        timezone="UTC",
    )
    assert asked.event.allows("a")
    assert not asked.event.allows("b")


@pytest.mark.parametrize("strategy", ["agent", "dag"])
@pytest.mark.parametrize(
    ("trigger", "zones", "expected"),
    [
        (BY_CLOCK, ["Asia/Kolkata"], "Europe/Paris"),
        (Trigger(), ["Asia/Kolkata", "Asia/Kolkata"], "Asia/Kolkata"),
        (Trigger(), ["Asia/Kolkata", "UTC"], "UTC"),
        (Trigger(), [], "UTC"),
    ],
)
def test_dates_are_those_of_the_schedule_or_of_the_zone_that_all_schedules_share(
    strategy: str, trigger: Trigger, zones: list[str], expected: str
) -> None:
    schedules = {str(n): Schedule(cron="@daily", timezone=zone) for n, zone in enumerate(zones)}
    given = replace(state(strategy=strategy), schedules=schedules)
    event = pursue("goal_1", given, "run_1", trigger, Defaults()).event
    assert isinstance(event, run.GoalRequested | dag.Requested)
    assert event.timezone == expected


def test_constraints_read_like_a_list() -> None:
    assert as_lines(CONSTRAINTS) == (
        "- language: German\n- rules:\n  -\n    - max: 3\n  - be brief\n- none: none\n- paid: yes\n- by: none"
    )
    assert as_lines({}) == ""
