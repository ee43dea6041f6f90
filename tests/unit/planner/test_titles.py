"""The title of a plan: asked for after planning, and no attempt at a plan."""

from __future__ import annotations

import pytest

from contracts.core.event import Event, Usage
from contracts.core.spent import Spent
from contracts.domain.dag import AttemptMade, Planned
from planner.planning import with_title
from planner.reply import Reply
from planner.title import Proposal
from tests.unit.planner.planning import concluded, plan, unreadable


def test_a_title_is_not_an_attempt_at_a_plan() -> None:
    title = AttemptMade(attempt=1, reason="title_master")

    assert len(concluded("prose", unreadable(1), title)) == 1


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Towers of Dubai", "Towers of Dubai"),
        ('"Towers of Dubai"\n\nI chose this because …', "Towers of Dubai"),
        ("\n\n# **Towers**", "Towers"),
        ("\u201cTowers\u201d ", "Towers"),
        ("x" * 500, "x" * 120),
        ("", None),
        ("''\n", None),
    ],
)
def test_a_title_is_one_bare_line(answer: str, title: str | None) -> None:
    assert Proposal(Reply(answer)).title == title


def test_a_title_is_recorded_with_its_own_attempt_of_the_same_number() -> None:
    usage = Usage(prompt_tokens=5, completion_tokens=2)

    *_, titled, end = with_title(
        concluded(plan(), unreadable(1)), Proposal(Reply("Towers", spent=Spent(usage=usage, cost_usd="0.02")))
    )

    assert titled == AttemptMade(attempt=2, reason="title_master", usage=usage, cost_usd="0.02")
    assert isinstance(end, Planned)
    assert end.title == "Towers"


def test_a_title_that_could_not_be_made_is_recorded_and_planning_continues() -> None:
    *_, titled, end = with_title(concluded(plan()), Proposal(Reply(error="429")))

    assert titled == AttemptMade(attempt=1, reason="title_master", error="429")
    assert isinstance(end, Planned)
    assert end.title is None


@pytest.mark.parametrize("events", [[], concluded("prose")])
def test_a_title_waits_for_the_end_of_planning(events: list[Event]) -> None:
    assert with_title(events, Proposal(Reply("Towers"))) == events
