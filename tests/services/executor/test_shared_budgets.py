"""Runs share what models may cost per day and month, in the whole system and by key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import Recorded
from contracts.core.money import pico_usd
from contracts.core.scopes import Scope
from contracts.domain import key, run
from contracts.domain.key import KEY
from contracts.domain.run import RUN, RunPolicy, Status
from contracts.domain.shared_budget import BUDGET, PeriodBudget, Reserved, Settled, State, Warned, month_of
from contracts.runtime.stream import Origin, transact
from tests import jobs
from tests.services.executor.system import ORIGIN, infer
from tests.services.executor.test_budgets import ANSWERS, CALLS_FOR_EVER, PRICED

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.executor.conftest import MakeWorld, World


async def requested(world: World, id_: str, *tasks: dict[str, Any], **given: Any) -> Recorded:
    """The message of a run of a plan. Its request had the key `ci`."""
    job = jobs.job(*(tasks or [infer("1", "think")]), **given)
    await world.write(RUN, id_, run.Requested(dag_id="d", original_request="do it", job=job))
    return (await world.log.read("run", id_))[-1]


async def spending(world: World) -> State:
    """The month, after everything is written."""
    for one in world.shared:
        await one.aclose()
    return BUDGET.fold(await world.events(month_of(datetime.now(UTC)), "budget"))


async def key_with(world: World, name: str, **budget: str) -> None:
    created = key.Created(name=name, scopes=(Scope.RUN,), secret_sha256="0" * 64)
    id_ = key.key_id(name)
    await world.write(KEY, id_, created, key.BudgetSet(budget=PeriodBudget(**budget)))
    world.keys.fold(await world.log.read("key", id_))


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """A model that costs 0.02 dollars a call, and of which a call may cost 0.01."""
    world = await make_world(ANSWERS, **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    return world


async def test_without_a_limit_nothing_is_written_about_the_budget(world: World) -> None:
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert (await world.state()).status is Status.COMPLETED
    assert await spending(world) == State()


async def test_runs_spend_from_one_budget_and_the_one_that_could_exceed_it_is_suspended(world: World) -> None:
    world.system = PeriodBudget(usd_per_day="0.025")
    await world.handle(world.executor(), await requested(world, "run_1"))
    await world.handle(world.executor(), await requested(world, "run_2"))
    assert (await world.state("run_1")).status is Status.COMPLETED
    state = await world.state("run_2")
    assert state.status is Status.SUSPENDED
    reason = state.suspended or ""
    assert reason.startswith("budget of the system: 0.02 of 0.025 US dollars per day are spent")
    assert reason.endswith("00:00 UTC, or raise BUDGET_USD_PER_DAY, then resume the run")
    (reached,) = await world.of(run.BudgetReached, "run_2")
    assert (reached.shared, reached.limit, reached.spent) == ("system/day", "usd", "0.02")
    assert len(world.asked) == 1


async def test_steps_at_once_wait_for_one_another_where_only_reservations_are_in_the_way(
    make_world: MakeWorld,
) -> None:
    """Each reserves about 0.0105 dollars and costs 0.001."""
    world = await make_world("[[rule]]\nanswer.text = 'A thought.'\nanswer.cost = 0.001", **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    world.system = PeriodBudget(usd_per_day="0.025")
    steps = [infer(str(n), "think") for n in range(1, 7)]
    await world.handle(world.executor(), await requested(world, "run_1", *steps))
    assert (await world.state()).status is Status.COMPLETED
    assert world.scripted.max_in_flight <= 2


async def test_a_suspended_run_goes_on_when_the_limit_is_raised(world: World) -> None:
    world.system = PeriodBudget(usd_per_month="0.005")
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert not world.asked
    world.system = PeriodBudget(usd_per_month="1")
    await transact(world.log, RUN, "run_1", run.resume, ORIGIN)
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    assert (await world.state()).status is Status.COMPLETED


async def test_the_key_that_asked_for_a_run_pays_for_it(world: World) -> None:
    await key_with(world, "ci", usd_per_day="0.025")
    await key_with(world, "other", usd_per_day="0.025")
    await world.handle(world.executor(), await requested(world, "run_1"))
    await world.handle(world.executor(), await requested(world, "run_2"))
    assert "budget of the key ci: 0.02 of 0.025" in ((await world.state("run_2")).suspended or "")
    spent = await spending(world)
    assert {name: one.month for name, one in spent.keys.items()} == {"ci": pico_usd("0.02")}


async def waiting_run(world: World) -> None:
    """A run of the key `ci` with two inferences, which waits for a person after the first."""
    await requested(world, "run_1", infer("1", "think"), infer("2", "think", needs=["1"]))
    now, one = datetime.now(UTC), infer("1", "think")["id"]
    asked = run.Asked(
        step="2", attempt=1, kind="question", title="?", tool="t", params_sha256="0" * 64, why="w"
    )
    await world.write(
        RUN,
        "run_1",
        run.Started(executor="e0", at=now, synthesis="merge"),
        run.StepsStarted(steps=(one,)),
        run.StepCompleted(step=one, result="a"),
        run.StepsStarted(steps=("2",)),
        asked,
        run.Waiting(),
    )


@pytest.mark.parametrize("ended_by", ["answer", "time"])
async def test_who_asked_for_a_run_pays_for_it_after_a_question_too(world: World, ended_by: str) -> None:
    """The answer of somebody else, or the end of the time for it, does not get the run past its budget."""
    await key_with(world, "ci", usd_per_day="0")
    await waiting_run(world)
    now = datetime.now(UTC)
    answered = run.Answered(
        step="2", attempt=1, verdict="answer", params_sha256="0" * 64, by="key:boss", at=now
    )
    expired = run.AskExpired(step="2", attempt=1, expired_at=now)
    closed, actor = (answered, "key:boss") if ended_by == "answer" else (expired, "service:scheduler")
    origin = Origin("/gateway/1", actor=actor)
    await transact(world.log, RUN, "run_1", lambda _: [closed], origin)
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    assert "budget of the key ci: 0 of 0 US dollars" in ((await world.state()).suspended or "")
    assert not world.asked


async def test_the_key_that_a_request_of_the_scheduler_names_pays_for_the_run(world: World) -> None:
    await key_with(world, "ci", usd_per_day="0.025")
    for id_ in ("run_1", "run_2"):
        asked = run.Requested(
            dag_id="d", original_request="do it", job=jobs.job(infer("1", "think")), paid_by="key:ci"
        )
        origin = Origin("/scheduler/1", actor="service:scheduler")
        await transact(world.log, RUN, id_, lambda _, asked=asked: [asked], origin)  # type: ignore[misc]
        await world.handle(world.executor(), (await world.log.read("run", id_))[-1])
    assert "budget of the key ci: 0.02 of 0.025" in ((await world.state("run_2")).suspended or "")
    assert len(world.asked) == 1


async def test_the_key_that_resumes_a_run_pays_from_then_on(world: World) -> None:
    await key_with(world, "ci", usd_per_day="0")
    await key_with(world, "boss", usd_per_day="1")
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert not world.asked
    await transact(world.log, RUN, "run_1", run.resume, Origin("/gateway/1", actor="key:boss"))
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    assert (await world.state()).status is Status.COMPLETED
    assert {name: one.month for name, one in (await spending(world)).keys.items()} == {
        "boss": pico_usd("0.02")
    }


async def test_a_run_whose_key_has_no_budget_is_not_limited_by_the_budgets_of_others(world: World) -> None:
    await key_with(world, "other", usd_per_day="0")
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert (await world.state()).status is Status.COMPLETED
    assert await spending(world) == State()


async def test_steps_that_ask_no_model_go_on(world: World) -> None:
    async def echo(value: Any, _: Any) -> Any:
        return value

    world.tool("echo", echo)
    world.system = PeriodBudget(usd_per_day="0")
    lease = await requested(world, "run_1", infer("1", "think"), jobs.task("2", "echo", {"value": 7}))
    await world.handle(world.executor(), lease)
    state = await world.state()
    assert (state.status, state.done) == (Status.SUSPENDED, {"2": 7})


async def test_the_report_and_the_turns_of_an_agent_are_paid_from_it_too(make_world: MakeWorld) -> None:
    world = await make_world(CALLS_FOR_EVER + ANSWERS, **PRICED)

    async def echo(value: Any, _: Any) -> Any:
        return value

    world.tool("echo", echo)
    world.system = PeriodBudget(usd_per_day="0.05")
    lease = await world.request(max_tokens=1000, budget=50)
    await world.handle(world.executor(), lease)
    state = await world.state()
    assert state.status is Status.FAILED
    assert state.loop
    assert (state.loop.error or "").startswith("budget of the system: 0.04 of 0.05 US dollars per day")
    await world.handle(
        world.executor(),
        await requested(world, "run_2", jobs.task("1", "echo", {"value": 7}), synthesis_plan="sum up"),
    )
    assert (await world.state("run_2")).ready == ("__SYNTHESIS__",)
    assert len(world.asked) == 2


async def test_a_budget_of_a_run_cannot_be_raised_to_get_past_a_shared_one(world: World) -> None:
    world.system = PeriodBudget(usd_per_day="0")
    await world.handle(world.executor(), await requested(world, "run_1"))
    state = await world.state()
    events = run.set_budget(state, {"usd": 5}, datetime.now(UTC))
    assert RUN.fold(events, state).status is Status.SUSPENDED


async def test_each_call_is_reserved_before_it_is_made_and_settled_at_its_cost(world: World) -> None:
    world.system = PeriodBudget(usd_per_day="0.025")
    await world.handle(world.executor(), await requested(world, "run_1"))
    await spending(world)
    reserved, settled, warned = await world.events(month_of(datetime.now(UTC)), "budget")
    assert isinstance(reserved, Reserved)
    assert (reserved.by, reserved.key) == ("run_1/1", "ci")
    assert pico_usd("0.01") < pico_usd(reserved.usd) < pico_usd("0.011")
    assert isinstance(settled, Settled)
    assert (settled.usd, settled.is_estimate) == ("0.02", False)
    assert isinstance(warned, Warned)
    assert (warned.period, warned.spent) == ("day", "0.02")


async def test_a_call_that_a_crash_has_interrupted_counts_at_its_estimate(world: World) -> None:
    """The next attempt at the step settles it."""
    world.system = PeriodBudget(usd_per_day="1")
    now = datetime.now(UTC)
    lost = Reserved(call="lost", by="run_1/1", usd="0.0105", key="ci", day=now.date(), at=now)
    await world.write(BUDGET, month_of(now), lost)
    await world.handle(world.executor(), await requested(world, "run_1"))
    after = await spending(world)
    assert (after.system.month, after.open) == (pico_usd("0.0305"), {})


async def test_a_call_that_is_cancelled_counts_at_its_estimate(
    make_world: MakeWorld, eventually: Eventually
) -> None:
    """Nobody knows whether the provider charges for it."""
    world = await make_world("[[rule]]\nanswer.hang = true", **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    world.system = PeriodBudget(usd_per_day="1")
    working = asyncio.create_task(world.handle(world.executor(), await requested(world, "run_1")))
    await eventually(lambda: world.asked)
    working.cancel()
    await asyncio.wait([working])
    after = await spending(world)
    assert after.open == {}
    assert pico_usd("0.01") < after.system.month < pico_usd("0.011")


async def test_a_call_that_takes_too_long_counts_at_its_estimate(make_world: MakeWorld) -> None:
    world = await make_world("[[rule]]\nanswer.hang = true", **PRICED, llm_timeout_s=0.1)
    await world.agent("agent_2", "inference", "Think.")
    world.policy = RunPolicy(retries=0)
    world.system = PeriodBudget(usd_per_day="1")
    await world.handle(world.executor(), await requested(world, "run_1"))
    after = await spending(world)
    assert after.open == {}
    assert pico_usd("0.01") < after.system.month < pico_usd("0.011")


async def test_a_call_that_fails_counts_at_what_the_provider_has_charged(make_world: MakeWorld) -> None:
    world = await make_world("[[rule]]\nanswer.status = 401", **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    world.system = PeriodBudget(usd_per_day="1")
    await world.handle(world.executor(), await requested(world, "run_1"))
    after = await spending(world)
    assert (after.open, after.system.month) == ({}, 0)


async def test_a_model_without_a_known_price_is_asked_only_if_the_settings_allow_it(
    make_world: MakeWorld,
) -> None:
    world = await make_world(ANSWERS, llm_model="made-up")
    world.system = PeriodBudget(usd_per_day="1")
    await world.agent("agent_2", "inference", "Think.")
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert "the price of the model made-up is not known" in ((await world.state()).suspended or "")


async def test_a_free_model_is_asked_although_nothing_is_left(make_world: MakeWorld) -> None:
    world = await make_world(ANSWERS, llm_provider="ollama", ollama_model="mistral", llm_model=None)
    world.system = PeriodBudget(usd_per_day="0")
    await world.agent("agent_2", "inference", "Think.")
    await world.handle(world.executor(), await requested(world, "run_1"))
    assert (await world.state()).status is Status.COMPLETED
