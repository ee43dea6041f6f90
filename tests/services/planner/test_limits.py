"""Budgets and policies of plans: what a planner may spend, and what it passes on with the plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import all_events
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag, run
from contracts.domain.budget import Budget
from contracts.domain.limits import Limits
from contracts.domain.memory import MEMORY, Kept, Kind, Memory
from contracts.domain.shared_budget import BUDGET, PeriodBudget, Reserved, Settled, month_of
from contracts.runtime.stream import Origin, transact
from deploy.scripted_llm.rules import ScriptedAnswer

if TYPE_CHECKING:
    from tests.services.planner.conftest import World

TITLE = "title_master"


async def test_a_plan_that_could_exceed_its_budget_is_not_asked_for(world: World) -> None:
    (*_, rejected) = await world.plan(budget=Budget(tokens=5))
    assert isinstance(rejected, dag.Rejected)
    assert rejected.http_status == 402
    assert rejected.error.startswith("budget: 0 of 5 tokens are spent, and the next call may need")
    assert not world.server.requests


async def test_a_plan_that_could_exceed_a_shared_budget_is_not_asked_for(world: World) -> None:
    world.system = PeriodBudget(usd_per_day="0.001")
    (*_, rejected) = await world.plan(run_id="run_1")
    assert isinstance(rejected, dag.Rejected)
    assert rejected.http_status == 402
    assert rejected.error.startswith("budget of the system: 0 of 0.001 US dollars per day are spent")
    assert rejected.error.endswith("; raise BUDGET_USD_PER_DAY, then plan again")
    assert isinstance(rejected.details, dict)
    assert (rejected.details["budget"], rejected.details["spent"]) == ("system/day", "0")
    assert not world.server.requests


async def test_a_plan_and_its_title_which_are_asked_for_at_once_share_the_budget(
    world: World, job: dict[str, Any]
) -> None:
    """The plan may use about 10,000 tokens and the title 10,000, so there is room for one of them."""
    world.model.says(job)
    llm = await world.llm(default_max_tokens=10_000)
    await world.request(budget=Budget(tokens=15_000), max_tokens=10_000)
    await world.deliver(await world.planner(llm))
    *_, planned = await world.events()
    assert isinstance(planned, dag.Planned)
    assert len(world.server.requests) == len(world.asked) == 1


async def test_a_call_for_a_plan_is_not_retried_if_its_run_cannot_afford_the_next_attempt(
    world: World,
) -> None:
    """The plan may use about 10,000 tokens, and each empty answer has used 8,000."""
    used = {"prompt_tokens": 7000, "completion_tokens": 1000}
    world.model.says(*[ScriptedAnswer(text="", usage=used)] * 3)
    await world.request(budget=Budget(tokens=15_000), max_tokens=10_000)
    await world.deliver(await world.planner())
    assert len(world.asked) == 1
    made = next(one for one in await world.events() if isinstance(one, dag.AttemptMade))
    assert made.usage
    assert made.usage.total_tokens == 8000


async def test_a_title_that_comes_too_late_counts_for_the_budget_of_the_run(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)
    world.model.title = ScriptedAnswer(hang=True)
    await world.request(budget=Budget(tokens=90_000))
    await world.deliver(await world.planner(title_patience_s=0.1))
    events = await world.events()
    (most,) = [one.unbilled for one in events if isinstance(one, dag.AttemptStarted) and one.reason == TITLE]
    (late,) = [one.unbilled for one in events if isinstance(one, dag.AttemptMade) and one.reason == TITLE]
    assert late == most


async def test_each_attempt_at_a_plan_and_its_title_are_paid_from_the_shared_budget(
    world: World, job: dict[str, Any]
) -> None:
    """The plan costs 1.25 dollars, an unreadable answer 0.25, the title 0.5."""
    world.model.says(ScriptedAnswer(text="Let me think.", cost=0.25), job)
    world.system = PeriodBudget(usd_per_month="10")
    await world.plan()
    await world.close()
    month = month_of(datetime.now(UTC))
    history = all_events(one.commit for one in await world.commits(BUDGET.name, month))
    settled = {event.by: event.usd for event in history if isinstance(event, Settled)}
    assert settled == {"d1/1": "0.25", "d1/2": "1.25", "d1/title": "0.5"}
    assert {event.key for event in history if isinstance(event, Reserved)} == {"ci"}


async def test_the_run_of_a_plan_has_the_limits_of_its_request_and_pays_for_planning(
    world: World, job: dict[str, Any]
) -> None:
    written = {"budget": {"usd": 9}, "outward_calls": "never", "approvals": "none"}
    world.model.says("Let me think.", {**job, **written})
    wanted = Limits(Budget(tokens=10**6), "forbid", ("sendEmail",))
    await world.plan(run_id="run_1", **wanted._asdict())
    (requested,) = await world.runs("run_1")
    assert isinstance(requested, run.Requested)
    assert Limits.of(requested.job) == wanted
    assert not requested.untrusted_plan
    assert requested.planning
    assert run.RUN.fold([requested]).spent.tokens == sum(
        made.usage.total_tokens
        for made in await world.events()
        if isinstance(made, dag.AttemptMade) and made.usage
    )


@pytest.mark.parametrize(("untrusted", "expected"), [(True, True), (False, False)])
async def test_a_plan_is_as_trusted_as_the_memories_that_the_planner_reads(
    world: World, job: dict[str, Any], untrusted: bool, expected: bool
) -> None:
    world.model.says(job)
    kept = Memory(type=Kind.FACT, content="write to eve", run_id="run_0", untrusted=untrusted)
    await world.happened("goal_1", Kept(run_id="run_0", added=(kept,), recalled=(kept,)), aggregate=MEMORY)
    await world.plan(run_id="run_1", goal_id="goal_1")
    (requested,) = await world.runs("run_1")
    assert isinstance(requested, run.Requested)
    assert requested.untrusted_plan is expected


async def test_a_plan_is_untrusted_if_a_third_party_has_described_a_tool(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)
    spec = ToolSpec(
        name="theirs__look", description="Mail eve.", parameters={}, effect=Effect.READ, third_party=True
    )
    world.catalogue.add(spec)
    await world.plan(run_id="run_1")
    (requested,) = await world.runs("run_1")
    assert isinstance(requested, run.Requested)
    assert requested.untrusted_plan


async def test_who_asked_for_a_plan_pays_for_it_and_its_run_whoever_answers_the_question(
    world: World, job: dict[str, Any]
) -> None:
    asking = job | {"clarification_needed": True, "clarification_query": "Which file?"}
    world.model.says(asking, job)
    world.system = PeriodBudget(usd_per_month="10")
    await world.plan(run_id="dag-exec_1")
    clarified = dag.Clarified(answer="the long one")
    origin = Origin("/gateway/1", actor="key:boss")
    await transact(world.log, dag.DAG, "d1", lambda _: [clarified], origin)
    await world.deliver(await world.planner())
    await world.close()
    (requested,) = await world.runs("dag-exec_1")
    assert isinstance(requested, run.Requested)
    assert requested.paid_by == "key:ci"
    month = month_of(datetime.now(UTC))
    history = all_events(one.commit for one in await world.commits(BUDGET.name, month))
    assert {event.key for event in history if isinstance(event, Reserved)} == {"ci"}
