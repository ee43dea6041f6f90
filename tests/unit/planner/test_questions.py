"""What the model is asked, first and after an answer that was of no use."""

from __future__ import annotations

from contracts.domain.dag import AttemptMade
from planner.prompt import MAX_SHOWN
from planner.reply import Reason
from tests.unit.planner.planning import GOAL, concluded, plan, question, rated, task, unreadable


def test_the_first_question_is_the_goal() -> None:
    asking = question()

    assert asking.reason is Reason.INITIAL
    assert asking.messages == (
        {"role": "system", "content": "You plan."},
        {"role": "user", "content": GOAL},
    )


def test_after_an_unreadable_answer_the_model_sees_error_and_answer() -> None:
    asking = question(unreadable(1, answer="Let me think"))

    text = asking.messages[-1]["content"]
    assert asking.reason is Reason.UNREADABLE
    assert text.startswith(f"{GOAL}\n\n")
    assert "could not be read as JSON: no JSON" in text
    assert "<<<\nLet me think\n>>>" in text


def test_after_each_answer_that_was_cut_off_the_model_may_write_twice_as_much() -> None:
    def attempt(number: int, finish_reason: str) -> AttemptMade:
        made = unreadable(number)
        return made.model_copy(update={"generation_stats": {"finish_reason": finish_reason}})

    first, second = attempt(1, "length"), attempt(2, "length")
    assert [question(*asked).more_tokens for asked in ((), (first,), (first, second))] == [1, 2, 4]
    assert question(attempt(1, "stop")).more_tokens == 1


def test_after_an_invalid_plan_the_model_sees_each_problem_in_its_place() -> None:
    bad = plan(sub_tasks=[task("1", name="teleport")], validation=rated("low", "the height"))

    asking = question(*concluded(bad))

    text = asking.messages[-1]["content"]
    assert asking.reason is Reason.INVALID
    assert "- sub_tasks[0].tool_or_prompt.name: there is no tool 'teleport'" in text
    assert "1. the height" in text
    assert bad in text


def test_after_gaps_the_model_sees_the_goal_and_only_the_newest_gaps() -> None:
    first = concluded(plan(validation=rated("low", "the height", "the year")))
    second = concluded(plan(validation=rated("low", "the owner")), *first)

    text = question(*first, *second).messages[-1]["content"]

    assert question(*first).reason is Reason.GAPS
    assert "1. the height\n2. the year" in question(*first).messages[-1]["content"]
    assert text.startswith(GOAL)
    assert "1. the owner" in text
    assert "the height" not in text


def test_a_long_answer_is_shown_cut() -> None:
    text = question(unreadable(1, answer="x" * MAX_SHOWN)).messages[-1]["content"]

    assert "… (cut)" in text
