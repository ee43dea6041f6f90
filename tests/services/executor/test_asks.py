"""Steps that wait for a person: they give the lease back, and go on with the answer, exactly once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Ask
from contracts.core.subjects import state_filter
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Answer, Status
from contracts.runtime.stream import transact
from executor import driver
from executor.tools.ask_human import ask_human
from executor.tools.tool import CallContext
from tests import jobs
from tests.services.executor.system import ORIGIN, RUN_ID, Calls, System, handle, handling, task, tool
from tests.waiting import WAIT_S


class Sent:
    """A tool that may be called once, and notes what it was called with."""

    def __init__(self) -> None:
        self.values: list[Json] = []

    async def send(self, value: Json, _: CallContext) -> Json:
        self.values.append(value)
        return f"sent {value}"


def asks(id_: str = "001", **params: Any) -> dict[str, Json]:
    return jobs.task(id_, "askHuman", {"question": "Which city?", **params})


def approved(step: dict[str, Json]) -> dict[str, Json]:
    return {**step, "approval": True}


async def answer(system: System, step: str, given: Answer, attempt: int = 1, by: str = "key:ann") -> None:
    now = datetime.now(UTC)
    await transact(system.log, RUN, RUN_ID, lambda s: run.answer(s, step, attempt, given, by, now), ORIGIN)


async def of(system: System, *kinds: type) -> list[Any]:
    return [event for event in await system.events() if isinstance(event, kinds)]


async def until(system: System, *kinds: type) -> None:
    """Return when the run has an event of each of `kinds`, in this order."""
    left = list(kinds)
    async for batch in system.log.tail(state_filter(RUN.name), after=0):
        for event in (event for one in batch for event in one.commit.events):
            if left and isinstance(event, left[0]):
                del left[0]
        if not left:
            return


def people() -> System:
    return System(("test", ask_human()))


async def test_a_question_makes_the_run_wait_without_a_lease() -> None:
    system = people()
    await handle(system.executor(), await system.request(asks()))
    state = await system.state()
    assert state.status is Status.WAITING
    assert state.executor is None
    assert state.asks.open["001"].title == "Which city?"


async def test_the_answer_is_the_result_of_the_question() -> None:
    system = people()
    await handle(
        system.executor(),
        await system.request(asks(), task("002", value="<Result of Task 001>", needs=["001"])),
    )
    await answer(system, "001", Answer("answer", value={"city": "Paris"}))
    await handle(system.executor(), await system.lease())
    state = await system.state()
    assert state.status is Status.COMPLETED
    assert state.done["002"] == {"city": "Paris"}


async def test_steps_that_do_not_need_the_answer_complete_before_the_run_waits() -> None:
    system = people()
    await handle(system.executor(), await system.request(asks(), task("002"), task("003", needs=["002"])))
    state = await system.state()
    assert state.status is Status.WAITING
    assert set(state.done) == {"002", "003"}


async def test_an_answer_is_taken_in_while_other_steps_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "ANSWERS_S", 0.01)
    calls = Calls()
    system = System(("test", ask_human()), tool("slow", calls.wait))
    lease = await system.request(asks(), task("002", "slow"))
    async with handling(system.executor(), lease) as worker:
        await calls.called.wait()
        async with asyncio.timeout(WAIT_S):
            await until(system, run.Asked)
            await answer(system, "001", Answer("answer", value="Paris"))
            await until(system, run.Answered, run.StepCompleted)
        calls.gate.set()
        await worker
    assert (await system.state()).status is Status.COMPLETED
    assert not await of(system, run.Waiting)


async def test_a_call_is_made_only_after_its_approval_with_the_parameters_that_were_shown() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    step = approved(task("002", "send", value="<Result of Task 001>", needs=["001"]))
    await handle(system.executor(), await system.request(task("001", value="hello"), step))
    ask = (await system.state()).asks.open["002"]
    assert (ask.kind, ask.tool, ask.params) == ("approval", "send", {"value": "hello"})
    assert not sent.values
    await answer(system, "002", Answer("approve"))
    await handle(system.executor(), await system.lease())
    assert (await system.state()).status is Status.COMPLETED
    assert sent.values == ["hello"]


async def test_every_call_of_a_tool_that_the_plan_names_for_approval_waits_for_it() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    steps = task("001", "send", value="a"), task("002", "send", value="b"), task("003", value="c")
    await handle(system.executor(), await system.request(*steps, approvals=["send"]))
    state = await system.state()
    assert set(state.asks.open) == {"001", "002"}
    assert state.asks.open["001"].why == "a person must approve every call of send in this run"
    assert set(state.done) == {"003"}
    assert not sent.values
    await answer(system, "001", Answer("approve"))
    await answer(system, "002", Answer("approve"))
    await handle(system.executor(), await system.lease())
    assert (await system.state()).status is Status.COMPLETED
    assert sorted(sent.values) == ["a", "b"]


async def test_a_fork_asks_again_about_the_calls_that_it_makes() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    await handle(system.executor(), await system.request(task("001", "send", value="a"), approvals=["send"]))
    await answer(system, "001", Answer("approve"))
    await handle(system.executor(), await system.lease())
    forked = run.fork(
        await system.state(), run.Changes(start=("001",)), run.ForkedFrom(run_id=RUN_ID), datetime.now(UTC)
    )
    await transact(system.log, RUN, "fork_1", lambda _: forked, ORIGIN)
    await handle(system.executor(), await system.lease("fork_1"))
    state = RUN.fold(await system.events("fork_1"))
    assert state.status is Status.WAITING
    assert set(state.asks.open) == {"001"}
    assert sent.values == ["a"]


async def test_a_call_that_needs_an_approval_and_then_an_answer_gets_both() -> None:
    system = people()
    await handle(system.executor(), await system.request(approved(asks())))
    await answer(system, "001", Answer("approve"))
    await handle(system.executor(), await system.lease())
    await answer(system, "001", Answer("answer", value="Paris"), attempt=2)
    await handle(system.executor(), await system.lease())
    state = await system.state()
    assert state.status is Status.COMPLETED
    assert state.done["001"] == "Paris"
    assert [ask.kind for ask in await of(system, run.Asked)] == ["approval", "question"]


async def test_a_call_that_asks_twice_gets_both_answers_and_knows_that_one_is_new() -> None:
    seen: list[bool] = []

    async def ask_twice(_: Json, call: CallContext) -> Json:
        seen.append(call.is_answered)
        for question in ("How many?", "Where?"):
            if call.answer_to(question) is None:
                raise Ask(question)
        return [call.answer_to("How many?"), call.answer_to("Where?")]

    system = System(tool("book", ask_twice))
    await handle(system.executor(), await system.request(task("001", "book")))
    await answer(system, "001", Answer("answer", value=3))
    await handle(system.executor(), await system.lease())
    assert (await system.state()).asks.open["001"].title == "Where?"
    await answer(system, "001", Answer("answer", value="outside"), attempt=2)
    await handle(system.executor(), await system.lease())
    assert (await system.state()).done["001"] == [3, "outside"]
    assert seen == [False, True, True]


async def test_a_call_is_made_with_the_parameters_as_edited() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    await handle(system.executor(), await system.request(approved(task("001", "send", value="hello"))))
    await answer(system, "001", Answer("approve", params={"value": "good day"}))
    await handle(system.executor(), await system.lease())
    assert sent.values == ["good day"]


async def test_a_rejected_call_is_not_made_and_its_step_fails_with_the_reason() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    await handle(system.executor(), await system.request(approved(task("001", "send")), task("002")))
    await answer(system, "001", Answer("reject", comment="not today"))
    await handle(system.executor(), await system.lease())
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert state.suspended == "rejected by key:ann: not today"
    assert not sent.values


async def test_a_resumed_run_asks_again_about_a_rejected_call() -> None:
    sent = Sent()
    system = System(tool("send", sent.send, Effect.ONCE))
    await handle(system.executor(), await system.request(approved(task("001", "send"))))
    await answer(system, "001", Answer("reject"))
    await handle(system.executor(), await system.lease())
    await handle(system.executor(), await system.resume())
    assert (await system.state()).status is Status.WAITING
    assert [ask.attempt for ask in await of(system, run.Asked)] == [1, 3]


async def test_a_person_is_not_asked_about_invalid_parameters() -> None:
    system = people()
    await handle(
        system.executor(), await system.request(approved(jobs.task("001", "askHuman", {"question": ""})))
    )
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "question" in (state.suspended or "")
    assert not await of(system, run.Asked)


async def test_a_question_that_expires_while_other_steps_run_fails_its_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "ANSWERS_S", 0.01)
    later = datetime.now(UTC) + timedelta(days=8)
    calls = Calls()
    system = System(("test", ask_human()), tool("slow", calls.wait))
    async with handling(system.executor(), await system.request(asks(), task("002", "slow"))) as worker:
        await calls.called.wait()
        async with asyncio.timeout(WAIT_S):
            await until(system, run.Asked)
            monkeypatch.setattr(driver, "utc_now", lambda: later)
            await until(system, run.AskExpired)
        calls.gate.set()
        await worker
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "nobody answered" in (state.suspended or "")


async def test_a_run_that_died_while_it_asked_asks_once() -> None:
    system = people()
    lease = await system.request(asks())
    system.log.open.clear()
    async with handling(system.executor(), lease):
        await system.log.asked.wait()
    system.log.open.set()
    await handle(system.executor(), lease, attempt=2)
    assert len(await of(system, run.Asked)) == 1
    assert (await system.state()).status is Status.WAITING


async def test_the_message_of_a_waiting_run_is_acknowledged_when_it_is_delivered_again() -> None:
    system = people()
    lease = await system.request(asks())
    await handle(system.executor(), lease)
    before = len(await system.events())
    await handle(system.executor(), lease, attempt=2)
    assert len(await system.events()) == before


async def test_a_call_that_was_approved_and_cut_off_is_not_repeated() -> None:
    calls = Calls()
    system = System(tool("send", calls.wait, Effect.ONCE))
    await handle(system.executor(), await system.request(approved(task("001", "send"))))
    await answer(system, "001", Answer("approve"))
    lease = await system.lease()
    async with handling(system.executor(), lease):
        await calls.called.wait()
    await handle(system.executor(), lease, attempt=2)
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "unknown" in (state.suspended or "")
    assert len(calls.keys) == 1


async def test_a_waiting_run_can_be_cancelled() -> None:
    system = people()
    await handle(system.executor(), await system.request(asks()))
    await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "enough"), ORIGIN)
    with pytest.raises(run.AskClosed):
        await answer(system, "001", Answer("answer", value="Paris"))
    assert (await system.state()).status is Status.CANCELLED
