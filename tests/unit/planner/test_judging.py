"""What an answer of the model means: a plan, a question, or what is wrong with it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from contracts.domain.dag import ClarificationAsked, Planned, Rejected
from planner.planning import MAX_ANSWER, MAX_TOLD, Fault
from planner.reply import Reason
from tests.unit.planner.planning import GOAL, PLAN, judged, plan, rated, task


def fault(text: str, **details: Any) -> Fault:
    verdict = judged(text, **details)
    assert isinstance(verdict, Fault)
    return verdict


def test_a_covering_plan_is_done_renumbered_and_says_the_goal_as_it_was_given() -> None:
    verdict = judged(plan())

    assert isinstance(verdict, Planned)
    assert verdict.job.original_request == GOAL
    assert [one.id for one in verdict.job.sub_tasks] == ["001", "002"]
    assert verdict.job.sub_tasks[1].dependencies == ("001",)
    assert verdict.job.sub_tasks[1].tool_or_prompt.params == {"prompt": "<Result of Task 001> Summarise."}
    assert verdict.job.entities[0].grounded_value == "a tall building"
    assert verdict.job.synthesis_plan == "one page"


@pytest.mark.parametrize(
    ("validation", "done"),
    [
        (rated("high"), True),
        (rated("high", "a detail"), True),
        (rated("low"), True),
        (rated("medium", " "), True),
        (rated("medium", "the height"), False),
        (rated("low", "the height"), False),
        (rated("HIGH", "the height"), False),
        ({}, True),
    ],
)
def test_only_gaps_without_high_coverage_call_for_another_plan(
    validation: dict[str, Any], done: bool
) -> None:
    verdict = judged(plan(validation=validation))

    assert isinstance(verdict, Planned) is done
    if isinstance(verdict, Fault):
        assert verdict == Fault(
            Rejected(
                http_status=500,
                error="Failed to create DAG after maximum attempts",
                details={"max_attempts": 3},
            ),
            gaps=("the height",),
            retry=Reason.GAPS,
        )


@pytest.mark.parametrize("coverage", ["high", "low"])
def test_a_question_to_the_user_goes_before_everything_else(coverage: str) -> None:
    text = plan(
        clarification_needed=True,
        clarification_query="Which one?",
        sub_tasks=[task("1", name="teleport")],
        validation=rated(coverage, "which"),
    )

    verdict = judged(text)

    assert isinstance(verdict, ClarificationAsked)
    assert verdict.query == "Which one?"
    assert verdict.job.original_request == "the model's words"


@pytest.mark.parametrize("text", ["I would search the web.", "", plan()[:200], "```json\n{'a\n```"])
def test_an_answer_without_json_is_unreadable(text: str) -> None:
    found = fault(text)

    assert found.retry is Reason.UNREADABLE
    assert found.error
    assert found.rejected == Rejected(
        http_status=500,
        error="LLM response is not valid JSON after multiple attempts",
        details={"attempts": 3, "responsePreview": text},
    )


def test_the_client_sees_the_beginning_of_an_unreadable_answer() -> None:
    assert fault("x" * 2000).rejected.details["responsePreview"] == "x" * 500


def test_a_model_that_ran_out_of_tokens_is_told_to_be_brief() -> None:
    found = fault(plan()[:300], cut_off=True)
    assert "shorter" in (found.error or "")
    assert "Raise max_tokens (or DEFAULT_MAX_TOKENS)" in found.rejected.error


def test_json_that_is_not_a_plan_is_invalid_and_the_issues_say_where() -> None:
    without = {key: value for key, value in PLAN.items() if key != "intent"}

    found = fault(json.dumps(without))

    assert found.retry is Reason.INVALID
    assert found.rejected.http_status == 400
    assert found.rejected.error == "Invalid DAG structure after multiple attempts"
    assert found.rejected.details == {
        "validation_errors": [
            {
                "code": "invalid_type",
                "expected": "object",
                "received": "undefined",
                "path": ["intent"],
                "message": "Required",
            }
        ],
        "attempts": 3,
        "result": without,
    }
    assert json.loads(found.error or "") == found.rejected.details["validation_errors"]


@pytest.mark.parametrize(
    ("tasks", "where", "what"),
    [
        ([task("1", name="teleport")], ["sub_tasks", 0, "tool_or_prompt", "name"], "teleport"),
        ([task("1"), task("1")], ["sub_tasks", 1, "id"], "taken"),
        ([task("1", "7")], ["sub_tasks", 0, "dependencies", 0], "no sub-task"),
        ([task("1", "2"), task("2", "1")], ["sub_tasks"], "circle"),
        ([task("1", q="x")], ["sub_tasks", 0, "tool_or_prompt", "params", "query"], "query"),
        ([], ["sub_tasks"], "nothing to do"),
    ],
)
def test_a_plan_that_cannot_be_executed_is_invalid(tasks: list[Any], where: list[Any], what: str) -> None:
    found = fault(plan(sub_tasks=tasks))

    assert found.retry is Reason.INVALID
    issues = found.rejected.details["validation_errors"]
    assert where in [issue["path"] for issue in issues]
    assert what in str(issues)


def test_an_agent_that_does_not_exist_makes_a_plan_invalid() -> None:
    unknown = task("1", name="poet", prompt="Rhyme.") | {"action_type": "inference"}

    assert "poet" in (fault(plan(sub_tasks=[unknown])).error or "")


def test_problems_and_gaps_are_reported_together() -> None:
    found = fault(plan(sub_tasks=[task("1", name="teleport")], validation=rated("low", "the height")))

    assert (found.retry, found.gaps) == (Reason.INVALID, ("the height",))


def test_many_or_huge_problems_are_kept_shortened() -> None:
    huge = [{**task(str(n)), "action_type": "x" * 20_000, "thought": n} for n in range(4)]
    many = [task(str(n), name="teleport") for n in range(90)]

    assert len(fault(plan(sub_tasks=huge)).error or "") < 6000
    assert len(json.loads(fault(plan(sub_tasks=many)).error or "")) == MAX_TOLD


def test_the_last_fence_with_a_valid_plan_is_the_plan() -> None:
    draft = plan(synthesis_plan="a draft")
    final = plan(synthesis_plan="corrected")
    broken = plan(sub_tasks=[])
    example = '```json\n{"name": "example", "x": 1}\n```'
    for answer in (f"{draft}\nBetter:\n{final}", f"{final}\n{example}", f"{final}\n{broken}"):
        verdict = judged(answer)
        assert isinstance(verdict, Planned)
        assert verdict.job.synthesis_plan == "corrected"


def test_a_draft_is_not_used_when_the_plan_after_it_was_cut_off() -> None:
    assert fault(f"{plan()}\nBetter:\n{plan()[:-40]}").retry is Reason.UNREADABLE


def test_problems_of_the_last_invalid_plan_are_reported() -> None:
    first, second = plan(sub_tasks=[task("a", name="nonesuch")]), plan(sub_tasks=[task("a", "z")])
    told = fault(f'{first}\n{second}\n```json\n{{"note": 1}}\n```').error
    assert "no sub-task has the id 'z'" in str(told)


def test_ids_and_dependencies_may_be_numbers_text_or_null() -> None:
    first, second = task("1"), task("2", name="inference", prompt="<result_of_task_1> Summarise.")
    odd = plan(sub_tasks=[{**first, "id": 1, "dependencies": None}, {**second, "id": 2, "dependencies": "1"}])
    verdict = judged(odd)
    assert isinstance(verdict, Planned)
    _, last = verdict.job.sub_tasks
    assert last.dependencies == ("001",)
    assert last.tool_or_prompt.params["prompt"] == "<Result of Task 001> Summarise."


def test_a_placeholder_that_is_unclear_is_told_to_the_model() -> None:
    two = task("c", "a", "b", name="inference", prompt="<Result of Task a and b>")
    told = fault(plan(sub_tasks=[task("a"), task("b"), two])).error
    assert "<Result of Task a and b> is not a valid placeholder" in str(told)


def test_a_plan_with_as_many_steps_as_there_may_be_is_not_too_long() -> None:
    steps = [task(f"{n:04}") for n in range(2000)]
    document = {**deepcopy(PLAN), "sub_tasks": steps}
    assert isinstance(judged(json.dumps(document, indent=4)), Planned)


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_an_answer_that_is_too_long_is_not_asked_for_again(extra: int, fits: bool) -> None:
    text = plan().ljust(MAX_ANSWER + extra)

    verdict = judged(text)

    assert isinstance(verdict, Planned) is fits
    if not fits:
        error = f"Response too large: {MAX_ANSWER + extra} bytes"
        rejected = Rejected(http_status=500, error=error, details={"maxSize": 2_000_000})
        assert verdict == Fault(rejected, error)


def test_a_plan_that_is_nested_too_deep_to_be_stored_is_sent_back() -> None:
    nested: list[Any] = []
    for _ in range(150):
        nested = [nested]
    found = fault(json.dumps({"sub_tasks": [task("001", query=nested)]}))
    assert "nested more than 100 levels" in str(found.error)
