"""The table of services and the commits that they write."""

from __future__ import annotations

import pytest

from contracts.core.writers import refusal, service_of
from contracts.domain import goal, run
from contracts.domain.budget import Budget
from contracts.domain.registry import AGGREGATES
from contracts.domain.writers import WRITERS
from contracts.runtime.permissions import OPERATOR, ROLES
from executor.after_run.after_run import NAME as AFTER_RUN
from executor.service import NAME as EXECUTOR
from planner.service import NAME as PLANNER


def test_every_event_has_a_service_that_may_write_it() -> None:
    written = {event for table in WRITERS.values() for allowed in table.values() for event in allowed.events}
    assert written == {event for aggregate in AGGREGATES for event in aggregate.events}


def test_an_event_is_only_written_in_commits_of_its_own_aggregate() -> None:
    for table in WRITERS.values():
        for aggregate, allowed in table.items():
            assert {event.type.partition(".")[0] for event in allowed.events} == {aggregate}


def test_the_table_of_writers_and_the_nats_users_name_the_same_writers() -> None:
    assert set(WRITERS) == {*ROLES, OPERATOR}


def test_the_nats_users_have_the_durable_consumers_that_the_services_use() -> None:
    consumers = {name: set(role.consumers) for name, role in ROLES.items() if role.consumers}
    assert consumers == {"planner": {PLANNER}, "executor": {EXECUTOR, AFTER_RUN}}


def test_the_service_is_the_first_part_of_a_source() -> None:
    assert service_of("/executor/host-1") == "executor"
    assert service_of("/executor") == "executor"
    assert service_of("executor/host-1") == ""
    assert service_of("") == ""


def test_a_commit_is_refused_unless_its_source_may_write_it() -> None:
    cancelled, suspended = run.Cancelled(reason="x"), run.Suspended(reason="x")
    assert refusal(WRITERS, "/gateway/1", "run", "cancelled", [cancelled]) is None
    assert refusal(WRITERS, "/executor/1", "run", "suspended", [suspended]) is None
    assert "only gateway may" in (refusal(WRITERS, "/executor/1", "goal", "paused", [goal.Paused()]) or "")
    assert "the state pending" in (refusal(WRITERS, "/executor/1", "run", "pending", [suspended]) or "")
    assert "run.cancelled" in (refusal(WRITERS, "/executor/1", "run", "failed", [cancelled]) or "")
    assert "only executor, gateway" in (refusal(WRITERS, "/somebody/1", "run", "failed", [cancelled]) or "")


@pytest.mark.parametrize("status", sorted(run.OPEN))
def test_the_gateway_may_set_the_budget_of_every_run_that_has_not_ended(status: run.Status) -> None:
    budget = run.BudgetSet(budget=Budget(tokens=70_000))
    assert refusal(WRITERS, "/gateway/1", "run", status, [budget]) is None


def test_events_of_a_newer_version_are_not_refused() -> None:
    assert refusal(WRITERS, "/gateway/1", "invention", "new", []) is None
    assert refusal(WRITERS, "/executor/1", "run", "dreaming", []) is None
