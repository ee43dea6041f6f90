"""How many answers the model may give, and how planning ends."""

from __future__ import annotations

import pytest

from contracts.core.event import Event, Usage
from contracts.core.spent import Spent
from contracts.domain import dag
from contracts.domain.dag import DAG, AttemptMade, ClarificationAsked, Rejected
from planner.planning import Fault, conclude, judge, next_question
from planner.prompt import MAX_SHOWN
from planner.reply import Reason, Reply
from tests.unit.planner.planning import (
    GOAL,
    REQUESTED,
    WORDS,
    concluded,
    judged,
    plan,
    question,
    rated,
    unreadable,
)


def test_a_model_that_cannot_be_reached_ends_planning_with_its_error() -> None:
    verdict = judge(GOAL, Reply(error="openai answered 500"), WORDS)

    assert verdict == Fault(Rejected(http_status=500, error="openai answered 500"), "openai answered 500")


def test_the_last_attempt_and_the_end_of_planning_are_one_decision() -> None:
    reply = Reply(plan(), spent=Spent(usage=Usage(prompt_tokens=3), cost_usd="0.01"), stats={"id": "x"})
    verdict = judge(GOAL, reply, WORDS)

    made, end = conclude(DAG.fold([REQUESTED]), question(), reply, verdict)

    assert end == verdict
    assert made == AttemptMade(
        attempt=1,
        reason="initial",
        usage=Usage(prompt_tokens=3),
        cost_usd="0.01",
        generation_stats={"id": "x"},
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prose", Reason.UNREADABLE),
        (plan(intent=None), Reason.INVALID),
        (plan(validation=rated("low", "the height")), Reason.GAPS),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_three_attempts_are_all_whatever_was_wrong(text: str, reason: Reason, before: int) -> None:
    history = [unreadable(n + 1) for n in range(before)]

    made, *end = concluded(text, *history)

    assert isinstance(made, AttemptMade)
    assert made.attempt == before + 1
    assert made.reason == ("retry_parse_error" if before else "initial")
    assert made.answer == text
    assert made.retry == (None if before == 2 else reason)
    assert [type(event) for event in end] == ([Rejected] if before == 2 else [])


def test_attempts_begin_anew_after_a_clarification() -> None:
    asked = judged(plan(clarification_needed=True, clarification_query="Which?"))
    assert isinstance(asked, ClarificationAsked)
    history = (unreadable(1), unreadable(2), AttemptMade(attempt=3, reason="retry_parse_error"), asked)
    state = DAG.fold([REQUESTED, *history, dag.Clarified(answer="The one in Dubai")])

    asking = next_question(state, "You plan.", state.goal_text)
    events = conclude(state, asking, Reply("prose"), judged("prose"))

    assert asking.messages[1]["content"] == f"{GOAL}\n\nUser clarification: The one in Dubai"
    assert [event.attempt for event in events if isinstance(event, AttemptMade)] == [1]
    assert len(events) == 1


def test_the_stored_part_of_an_answer_is_bounded() -> None:
    (made,) = concluded("x" * (MAX_SHOWN + 1))

    assert isinstance(made, AttemptMade)
    assert made.answer == "x" * MAX_SHOWN


@pytest.mark.parametrize(
    "meanwhile",
    [
        (Rejected(http_status=500, error="by another planner"),),
        (dag.Deleted(),),
        (ClarificationAsked(query="Which?", job=judged(plan()).job), dag.Clarified(answer="this")),  # type: ignore[union-attr]
    ],
)
def test_an_answer_to_a_request_that_is_over_decides_nothing(meanwhile: tuple[Event, ...]) -> None:
    """Another planner came first, the DAG was deleted, or the goal is another one now."""
    state = DAG.fold([REQUESTED, *meanwhile])

    assert conclude(state, question(), Reply(plan()), judged(plan())) == []


def test_an_answer_counts_after_what_another_planner_added_meanwhile() -> None:
    state = DAG.fold([REQUESTED, unreadable(1), unreadable(2)])

    made, end = conclude(state, question(), Reply("prose"), judged("prose"))

    assert isinstance(made, AttemptMade)
    assert (made.attempt, made.reason) == (3, "initial")
    assert isinstance(end, Rejected)
