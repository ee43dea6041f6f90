"""The options of commands that fork a run."""

from __future__ import annotations

import pytest

from contracts.domain.budget import Budget
from deploy.cli.resources.changes import fork_of, steps_of
from deploy.cli.resources.command import Unusable


def test_the_budget_of_a_fork_is_given_limit_by_limit() -> None:
    wanted = fork_of(["002"], steps_of(), ["usd=0.5", "steps=3"])
    assert wanted.as_changes(None).budget == Budget(usd="0.5", steps=3)
    assert fork_of(["002"], steps_of(), None).as_changes(None).budget is None


@pytest.mark.parametrize("limit", ["usd", "usd=much", "usd=1e999999999"])
def test_a_limit_of_another_form_is_refused(limit: str) -> None:
    with pytest.raises(Unusable, match="--budget"):
        fork_of(["002"], steps_of(), [limit])
