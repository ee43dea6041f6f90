"""Whatever happens while a plan is made, it is made once, in three attempts at most, and executed once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event
from contracts.core.outcome import Reject
from contracts.domain import dag, run
from contracts.domain.budget import Budget
from contracts.domain.dag import DAG, AttemptMade, AttemptStarted, Planned, Rejected
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from contracts.runtime.log import Unavailable
from deploy.scripted_llm.rules import ScriptedAnswer

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.planner.conftest import World

PROSE = "Let me think."


def attempts(events: Any) -> list[int]:
    """The numbers of the attempts at a plan."""
    made = [event for event in events if isinstance(event, AttemptMade)]
    return [one.attempt for one in made if one.reason != "title_master"]


async def killed_while_asking(world: World, eventually: Eventually, *, request: int) -> None:
    """A planner that dies while it waits for the model's answer to the given request."""
    delivered = asyncio.create_task(world.deliver(await world.planner()))
    await eventually(lambda: len(world.asked) == request)
    delivered.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await delivered


async def given_up(world: World, error: BaseException, *, index: int = -1) -> None:
    """A message of the queue about the DAG is parked."""
    queued = [one for one in await world.commits("dag", "d1") if one.commit.state == "requested"]
    await (await world.planner()).given_up(queued[index], error)


# ── crashes ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_crash_planning_goes_on_with_the_attempts_made(
    world: World, job: dict[str, Any], eventually: Eventually
) -> None:
    world.model.says(PROSE, ScriptedAnswer(hang=True), job)
    await world.request()
    await killed_while_asking(world, eventually, request=2)
    assert attempts(await world.events()) == [1]

    await world.deliver(await world.planner())

    events = await world.events()
    assert attempts(events) == [1, 2]
    assert isinstance(events[-1], Planned)
    assert PROSE in world.asked[2]["messages"][-1]["content"]


async def test_a_call_that_a_crash_has_cut_off_counts_for_the_budget_of_the_run(
    world: World, job: dict[str, Any], eventually: Eventually
) -> None:
    world.model.says(ScriptedAnswer(hang=True), job)
    llm = await world.llm(default_max_tokens=10)
    await world.request(budget=Budget(tokens=50_000), run_id="run_1", max_tokens=10_000)
    await killed_while_asking(world, eventually, request=1)
    await world.deliver(await world.planner(llm))
    started = [one for one in await world.events() if isinstance(one, AttemptStarted)]
    lost = next(one.unbilled.tokens for one in started if one.reason == "initial")
    state = DAG.fold(await world.events())
    reported = sum(one.usage.total_tokens for one in state.attempts if one.usage)
    assert lost > 10_000
    assert state.spent.tokens >= reported + lost
    assert state.asking == {}
    assert RUN.fold(await world.runs("run_1")).spent == state.spent


async def test_a_budget_that_a_lost_call_has_used_up_allows_no_other(
    world: World, eventually: Eventually
) -> None:
    """Each call may use about 10,000 tokens."""
    world.model.says(ScriptedAnswer(hang=True))
    await world.request(budget=Budget(tokens=15_000), max_tokens=10_000)
    await killed_while_asking(world, eventually, request=1)
    await world.deliver(await world.planner())
    rejected = (await world.events())[-1]
    assert isinstance(rejected, Rejected)
    assert rejected.http_status == 402
    assert len(world.asked) == 1


async def test_calls_without_a_budget_are_recorded_once(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    assert not [one for one in await world.plan() if isinstance(one, AttemptStarted)]


async def test_crashes_do_not_add_attempts(world: World, eventually: Eventually) -> None:
    world.model.says(PROSE, ScriptedAnswer(hang=True), PROSE, ScriptedAnswer(hang=True), PROSE)
    await world.request()
    await killed_while_asking(world, eventually, request=2)
    await killed_while_asking(world, eventually, request=4)

    await world.deliver(await world.planner())

    events = await world.events()
    assert attempts(events) == [1, 2, 3]
    assert isinstance(events[-1], Rejected)


@pytest.mark.parametrize("status", ["planned", "rejected"])
async def test_a_request_that_has_been_dealt_with_asks_no_model(
    world: World, job: dict[str, Any], status: str
) -> None:
    world.model.says(job if status == "planned" else "x" * 2_000_001)
    await world.plan()
    before = await world.events()

    await world.deliver(await world.planner())

    assert await world.events() == before
    assert len(world.asked) == 1


# ── executing the plan at once ──────────────────────────────────────────────────────────────────────────


async def test_a_plan_to_be_executed_is_with_todays_date(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)

    *_, planned = await world.plan(run_id="dag-exec_1")

    assert isinstance(planned, Planned)
    assert planned.job.sub_tasks[0].tool_or_prompt.params == {"path": "a {{currentDate}}.txt"}
    (requested,) = await world.runs("dag-exec_1")
    assert isinstance(requested, run.Requested)
    assert (requested.dag_id, requested.dag_title, requested.trigger) == ("d1", "A title", "plan")
    assert requested.original_request == "Read it"
    params = requested.job.sub_tasks[0].tool_or_prompt.params
    assert params == {"path": "a 11/23/2026, 6:45:42 AM.txt"}


@pytest.mark.parametrize(
    "zone", [{"schedule": Schedule(cron="@daily", timezone="Asia/Kolkata")}, {"timezone": "Asia/Kolkata"}]
)
async def test_dates_are_those_of_the_time_zone_of_the_dag(
    world: World, job: dict[str, Any], zone: dict[str, Any]
) -> None:
    """In the prompt and in the plan, wherever the planner itself stands."""
    world.model.says(job)

    await world.plan(run_id="dag-exec_1", **zone)

    (asked,) = world.asked
    assert asked["messages"][0]["content"].startswith("You plan. 11/23/2026, 12:15:42 PM ")
    (requested,) = await world.runs("dag-exec_1")
    assert isinstance(requested, run.Requested)
    params = requested.job.sub_tasks[0].tool_or_prompt.params
    assert params == {"path": "a 11/23/2026, 12:15:42 PM.txt"}
    assert requested.timezone == "Asia/Kolkata"


async def test_a_plan_is_executed_only_if_that_was_requested(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)

    await world.plan()

    assert await world.log.last_seq("evt.run.>") == 0


async def test_a_crash_between_plan_and_run_loses_neither(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    await world.request(run_id="dag-exec_1")
    world.log.lose_acks()
    with pytest.raises(Unavailable):
        await world.deliver(await world.planner())
    assert await world.runs("dag-exec_1") == []

    for _ in range(2):
        await world.deliver(await world.planner())

    assert [type(event) for event in await world.runs("dag-exec_1")] == [run.Requested]
    assert len(world.asked) == 1


async def test_a_plan_broken_by_hand_before_its_run_was_requested_is_given_up(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)
    await world.request(run_id="dag-exec_1")
    world.log.lose_acks()
    with pytest.raises(Unavailable):
        await world.deliver(await world.planner())
    await world.happened("d1", dag.Updated(job={"sub_tasks": "none"}))

    with pytest.raises(Reject, match="cannot be executed") as raised:
        await world.deliver(await world.planner())
    await given_up(world, raised.value)
    await given_up(world, raised.value)

    (end,) = await world.runs("dag-exec_1")
    assert isinstance(end, run.Cancelled)
    assert "cannot be executed" in end.reason


# ── messages that are given up ──────────────────────────────────────────────────────────────────────────


async def test_a_dag_whose_message_is_given_up_is_rejected_and_says_why(world: World) -> None:
    await world.request(run_id="dag-exec_1")

    await given_up(world, OverflowError("a bug"))
    await given_up(world, OverflowError("a bug"))

    _, rejected = await world.events()
    assert isinstance(rejected, Rejected)
    assert rejected.http_status == 500
    assert "OverflowError: a bug" in rejected.error
    assert await world.runs("dag-exec_1") == []


async def test_giving_up_the_message_of_an_earlier_request_or_of_a_plan_that_is_made_changes_nothing(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)
    await world.request(run_id="dag-exec_1")
    await world.happened("d1", dag.Updated(title="Mine"))
    before = await world.events()
    await given_up(world, OverflowError("a bug"), index=0)
    assert await world.events() == before

    await world.deliver(await world.planner())
    before = await world.events()
    await given_up(world, OverflowError("a bug"))
    assert await world.events() == before
    assert [type(event) for event in await world.runs("dag-exec_1")] == [run.Requested]


# ── others at the same time ─────────────────────────────────────────────────────────────────────────────


async def test_two_planners_at_once_make_one_plan_and_one_run(world: World, job: dict[str, Any]) -> None:
    world.model.says(job, job)
    await world.request(run_id="dag-exec_1")

    await asyncio.gather(*[world.deliver(await world.planner()) for _ in range(2)])

    events = await world.events()
    assert [type(event) for event in events].count(Planned) == 1
    assert attempts(events) == [1]
    assert len(await world.runs("dag-exec_1")) == 1


async def test_two_planners_at_once_share_three_attempts(world: World) -> None:
    world.model.says(*[PROSE] * 6)
    await world.request()

    await asyncio.gather(*[world.deliver(await world.planner()) for _ in range(2)])

    events = await world.events()
    assert attempts(events) == [1, 2, 3]
    assert isinstance(events[-1], Rejected)


@pytest.mark.parametrize(
    ("meanwhile", "last"),
    [
        (dag.Deleted(), dag.Deleted),
        (dag.ScheduleSet(schedule=Schedule(cron="@daily")), Planned),
        (dag.Updated(title="Mine"), Planned),
    ],
)
async def test_changes_by_clients_during_planning_are_kept(
    world: World, job: dict[str, Any], meanwhile: Event, last: type[Event]
) -> None:
    """A deleted DAG stays deleted; other changes do not keep a plan from being made."""
    world.model.says(PROSE, job)
    await world.request(run_id="dag-exec_1")
    world.log.before_append = lambda: world.happened("d1", meanwhile)

    await world.deliver(await world.planner())

    events = await world.events()
    assert meanwhile in events
    assert isinstance(events[-1], last)
    assert attempts(events) == ([] if last is dag.Deleted else [1, 2])
    assert len(await world.runs("dag-exec_1")) == (0 if last is dag.Deleted else 1)


async def test_a_title_given_by_hand_is_kept(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    await world.request()
    await world.happened("d1", dag.Updated(title="Mine"))

    await world.deliver(await world.planner())

    assert dag.DAG.fold(await world.events()).title == "Mine"


async def test_of_several_messages_about_one_request_only_the_newest_counts(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(job)
    await world.request()
    await world.happened("d1", dag.Updated(title="Mine"))
    planner = await world.planner()

    await world.deliver(planner, index=0)
    assert world.asked == []

    await world.deliver(planner, index=1)
    assert isinstance((await world.events())[-1], Planned)
