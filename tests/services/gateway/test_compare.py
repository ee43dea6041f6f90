"""Comparing executions and runs over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.compare import Comparison
from contracts.core.event import Event
from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from gateway.api.compare.diffs import LONGEST_DIFF, LONGEST_TEXT, Diffs
from tests.services.gateway.executions.executions import STARTED, completed, done, requested, task
from tests.services.gateway.runs import runs as goal_runs

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def compared(api: Api, a: str, b: str) -> Any:
    answer = await api.get(f"/api/v1/compare?a={a}&b={b}")
    assert answer.status == 200, answer.body
    Comparison.model_validate(answer.json)
    return answer.json


async def execution(api: Api, id_: str, *results: Event) -> None:
    await api.write(RUN, id_, requested(task("001"), task("002", "001")))
    await api.write(RUN, id_, STARTED, *results)


async def test_steps_with_equal_and_different_results_are_told_apart(api: Api) -> None:
    await execution(api, "e1", done("001", "same"), done("002", "one\ntwo\nthree"))
    costly = done("002", "one\n2\nthree", cost_usd="0.5")
    await execution(api, "e2", done("001", "same"), costly, done(SYNTHESIS, "report"))

    shown = await compared(api, "e1", "e2")

    steps = {step["step"]: step for step in shown["steps"]}
    assert list(steps) == ["001", "002", SYNTHESIS]
    assert steps["001"]["result"] == {"verdict": "equal", "diff": None, "truncated": False}
    assert steps["002"]["result"]["diff"].splitlines() == [
        "--- a",
        "+++ b",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "+2",
        " three",
    ]
    assert (steps["002"]["a"]["costUsd"], steps["002"]["b"]["costUsd"]) == (None, "0.5")
    assert shown["report"]["verdict"] == "only_b"
    assert (shown["equalResults"], shown["differentResults"]) == (1, 1)


async def test_the_totals_are_compared_where_both_are_known(api: Api) -> None:
    await completed(api, "e1")
    await completed(api, "e2")
    await execution(api, "e3")

    same, unknown = await compared(api, "e1", "e2"), await compared(api, "e1", "e3")

    assert same["difference"] == {"durationMs": 0, "totalTokens": 0, "costUsd": "0"}
    assert unknown["difference"] == {"durationMs": None, "totalTokens": None, "costUsd": None}
    assert (same["a"]["kind"], same["a"]["status"], same["a"]["totalCostUsd"]) == (
        "execution",
        "completed",
        "0.0012",
    )


async def test_a_fork_is_compared_with_its_original(api: Api) -> None:
    await execution(api, "e1", done("001", "same"))
    inherited = run.Inherited(steps=(run.InheritedStep(step="001", result="same"),))
    fork = requested(task("001"), task("002", "001"))
    origin = run.ForkedFrom(run_id="e1")
    await api.write(RUN, "e2", fork.model_copy(update={"forked_from": origin}), inherited)

    shown = await compared(api, "e1", "e2")

    assert shown["b"]["forkedFrom"] == "e1"
    (first, *_) = shown["steps"]
    assert (first["result"]["verdict"], first["b"]["inherited"]) == ("equal", "original")


async def test_turns_and_calls_of_agents_are_compared_by_their_numbers(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="x"))
    await goal_runs.completed(api, "run_1")
    await goal_runs.pursue(api, "run_2", (goal_runs.turn(1, goal_runs.WRITE, thought="other"),))

    shown = await compared(api, "run_1", "run_2")

    verdicts = {step["step"]: step["result"]["verdict"] for step in shown["steps"]}
    assert verdicts == {"1": "different", "1.0": "only_a", "2": "only_a"}
    assert (shown["a"]["kind"], shown["report"]["verdict"]) == ("run", "only_a")


async def test_a_large_result_is_compared_by_its_hash(api: Api) -> None:
    large, other = "x" * (2 * LONGEST_TEXT), "y" * (2 * LONGEST_TEXT)
    refs = [(await api.gateway.blobs.store_if_large(text)) for text in (large, other)]
    await execution(api, "e1", done("001", refs[0]), done("002", refs[0]))
    await execution(api, "e2", done("001", refs[0]), done("002", refs[1]))

    first, second, _ = (await compared(api, "e1", "e2"))["steps"]

    assert first["result"]["verdict"] == "equal"
    assert second["result"] == {"verdict": "different", "diff": None, "truncated": True}


@pytest.mark.parametrize(("query", "status"), [("a=e1", 400), ("a=e1&b=e9", 404), ("a=&b=e1", 400)])
async def test_a_comparison_needs_two_runs_that_exist(api: Api, query: str, status: int) -> None:
    await completed(api, "e1")
    answer = await api.get(f"/api/v1/compare?{query}")
    assert answer.status == status
    assert status == 400 or answer.json["error"] == "b: there is no execution or run with the id 'e9'"


def test_diffs_are_bounded() -> None:
    lines = "\n".join(str(n) for n in range(1500))
    others = "\n".join(f"{n}!" for n in range(1500))
    diffs = Diffs(room=LONGEST_DIFF + 10)

    long, short, none = diffs.of(lines, others), diffs.of(lines, others), diffs.of("a", "b")

    assert [len(one.diff or "") for one in (long, short, none)] == [LONGEST_DIFF, 10, 0]
    assert all(one.truncated for one in (long, short, none))
    assert Diffs().of("\n" * 3000, "x") == none
