"""What a single run may do, beside what its goal or plan says."""

from __future__ import annotations

import pytest

from contracts.domain.budget import Budget
from contracts.domain.limits import Limits
from contracts.domain.outward import OutwardCalls
from tests import jobs


@pytest.mark.parametrize(
    ("plan", "own", "expected"),
    [
        (None, {"usd": 1}, {"usd": 1}),
        ({"usd": 1, "steps": 5}, None, {"usd": 1, "steps": 5}),
        ({"usd": 1, "steps": 5}, {"steps": 9}, {"usd": 1, "steps": 9}),
        ({"usd": 1, "steps": 5}, {"usd": None}, {"steps": 5}),
    ],
)
def test_a_run_changes_only_the_limits_of_the_budget_that_it_names(
    plan: dict[str, int] | None, own: dict[str, int] | None, expected: dict[str, int]
) -> None:
    def budget(given: dict[str, int] | None) -> Budget | None:
        return None if given is None else Budget.model_validate(given)

    narrowed = Limits(budget(plan)).narrowed(Limits(budget(own)))

    assert narrowed.budget == budget(expected)


@pytest.mark.parametrize(
    ("plan", "own", "problem"),
    [
        (None, "allow", None),
        ("ask", None, None),
        ("ask", "ask", None),
        ("ask", "forbid", None),
        (
            "ask",
            "ask-tainted",
            "a run can only be stricter than its goal or plan, which has 'ask': give 'ask' or 'forbid'",
        ),
    ],
)
def test_the_policy_of_a_run_is_at_least_as_strict_as_that_of_its_plan(
    plan: OutwardCalls | None, own: OutwardCalls | None, problem: str | None
) -> None:
    found = Limits(outward_calls=plan).problems(Limits(outward_calls=own))
    assert [one.message for one in found] == [one for one in [problem] if one]
    if problem is None:
        narrowed = Limits(outward_calls=plan).narrowed(Limits(outward_calls=own))
        assert narrowed.outward_calls == (own or plan)


def test_the_approvals_of_a_run_are_added_to_those_of_its_plan() -> None:
    plan = jobs.job(approvals=["sendEmail"], outward_calls="ask")
    own = Limits.of(plan).narrowed(Limits(approvals=("writeFile", "sendEmail")))
    assert own.applied_to(plan) == jobs.job(approvals=["sendEmail", "writeFile"], outward_calls="ask")
