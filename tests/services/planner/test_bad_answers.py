"""Answers of models that are not a usable plan: asked for again, or the reason of a refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Usage
from contracts.domain.dag import AttemptMade, Planned, Rejected
from deploy.scripted_llm.rules import ScriptedAnswer

if TYPE_CHECKING:
    from tests.services.planner.conftest import World


async def test_a_plan_that_was_cut_off_is_asked_for_again_with_more_tokens(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(ScriptedAnswer(text='{"intent": {"primary": "', finish_reason="length"), job)

    *_, planned = await world.plan()

    assert isinstance(planned, Planned)
    first, second = (asked["max_tokens"] for asked in world.asked)
    assert second == 2 * first


async def test_a_busy_provider_is_asked_again_within_the_same_attempt(
    world: World, job: dict[str, Any]
) -> None:
    world.model.says(ScriptedAnswer(status=429, error="slow down", retry_after="7"), job)

    made, *_, planned = await world.plan()

    assert isinstance(planned, Planned)
    assert isinstance(made, AttemptMade)
    assert made.attempt == 1
    (failed,) = (made.generation_stats or {})["failed_calls"]
    assert failed["status"] == 429
    assert "slow down" in failed["error"]
    assert world.waits == [7.0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ScriptedAnswer(status=500, error="out of order"), "out of order"),
        (ScriptedAnswer(drop=True), "cannot reach openai"),
        (ScriptedAnswer(text=""), "sent an empty answer"),
        (ScriptedAnswer(cut=True), "not a chat completion"),
    ],
)
async def test_a_model_that_does_not_answer_ends_planning_with_the_reason(
    world: World, answer: ScriptedAnswer, error: str
) -> None:
    world.model.says(answer, answer, answer)

    made, *_, rejected = await world.plan()

    assert isinstance(rejected, Rejected)
    assert rejected.http_status == 500
    assert error in rejected.error
    assert rejected.error.endswith("; try again in a moment, or set another provider and model")
    assert isinstance(made, AttemptMade)
    assert made.error == rejected.error
    assert len((made.generation_stats or {})["failed_calls"]) == len(world.asked) == 3


async def test_retry_after_of_the_provider_is_passed_on(world: World) -> None:
    world.model.says(ScriptedAnswer(status=429, error="busy", retry_after="1800"))

    *_, rejected = await world.plan()

    assert isinstance(rejected, Rejected)
    assert rejected.error.endswith("; try again in 30 min, or set another provider and model")


async def test_unusable_answers_count_with_their_cost(world: World) -> None:
    empty = ScriptedAnswer(text="", cost=0.25, usage={"prompt_tokens": 10, "completion_tokens": 1})
    world.model.says(empty, empty, empty)

    made, *_ = await world.plan()

    assert isinstance(made, AttemptMade)
    assert made.cost_usd == "0.75"
    assert made.usage == Usage(prompt_tokens=30, completion_tokens=3)


async def test_prose_and_half_a_plan_are_asked_for_again(world: World, job: dict[str, Any]) -> None:
    half = ScriptedAnswer(text=json.dumps(job)[:300], finish_reason="length")
    world.model.says("I would read the file.", half, job)

    events = await world.plan()

    attempts = [
        event for event in events if isinstance(event, AttemptMade) and event.reason != "title_master"
    ]
    assert [one.reason for one in attempts] == ["initial", "retry_parse_error", "retry_parse_error"]
    assert [one.answer for one in attempts] == ["I would read the file.", half.text, None]
    assert isinstance(events[-1], Planned)
    first, second, third = (asked["messages"][-1]["content"] for asked in world.asked)
    assert first == "Read it"
    assert "I would read the file." in second
    assert "max_tokens" in third
    assert [one.commit.state for one in await world.commits("dag", "d1")] == [
        "requested",
        "planning",
        "planning",
        "planned",
    ]


async def test_an_unknown_tool_is_pointed_out_and_corrected(world: World, job: dict[str, Any]) -> None:
    wrong = json.loads(json.dumps(job).replace("readFile", "openFile"))
    world.model.says(wrong, job)

    events = await world.plan()

    assert isinstance(events[-1], Planned)
    assert (
        "there is no tool 'openFile': did you mean 'readFile'?" in world.asked[1]["messages"][-1]["content"]
    )


async def test_a_plan_that_goes_in_a_circle_three_times_is_refused(world: World, job: dict[str, Any]) -> None:
    job["sub_tasks"][0]["dependencies"] = ["B"]
    world.model.says(job, job, job)

    *_, rejected = await world.plan()

    assert isinstance(rejected, Rejected)
    assert (rejected.http_status, rejected.error) == (400, "Invalid DAG structure after multiple attempts")
    assert rejected.details["attempts"] == 3
    assert rejected.details["result"] == job
    assert any("circle" in issue["message"] for issue in rejected.details["validation_errors"])


async def test_gaps_are_told_and_given_up_after_three_attempts(world: World, job: dict[str, Any]) -> None:
    job["validation"] = {"coverage": "medium", "gaps": ["the end"], "iteration_triggers": []}
    world.model.says(job, job, job)

    *_, rejected = await world.plan()

    assert rejected == Rejected(
        http_status=500,
        error="Failed to create DAG after maximum attempts",
        details={"max_attempts": 3},
    )
    assert "1. the end" in world.asked[2]["messages"][-1]["content"]


async def test_an_endless_answer_is_refused_at_once(world: World) -> None:
    world.model.says("x" * 2_000_001)

    *_, rejected = await world.plan()

    assert rejected == Rejected(
        http_status=500, error="Response too large: 2000001 bytes", details={"maxSize": 2_000_000}
    )


async def test_text_that_no_store_takes_is_made_storable(world: World, job: dict[str, Any]) -> None:
    job["sub_tasks"][0]["description"] = "a \ud800 b \x00 c"
    world.model.says(json.dumps(job))

    *_, planned = await world.plan()

    assert isinstance(planned, Planned)
    assert planned.job.sub_tasks[0].description == "a \ufffd b \ufffd c"
