"""Who pays for the models that a run or a plan asks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.domain import dag, goal, run
from contracts.domain.budget import Budget
from contracts.domain.payer import payer_of, payer_of_schedule
from tests import jobs

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REQUESTED = run.Requested(dag_id="d", original_request="do it", job=jobs.job(jobs.task("1")))
GOAL_REQUESTED = run.GoalRequested(goal_id="g", objective="find it", step_budget=5)
PLAN_REQUESTED = dag.Requested(goal_text="Read it", agent_name="Decomposer")
ASKED = dag.ClarificationAsked(query="Which?", job=REQUESTED.job)
ANSWERED = run.Answered(step="1", attempt=1, verdict="answer", params_sha256="0" * 64, by="key:boss", at=NOW)
BY_SCHEDULE = {"paid_by": "key:ci"}


def commit(actor: str | None, *events: Event) -> Commit:
    return Commit(
        id="0" * 32,
        aggregate="run",
        aggregate_id="run_1",
        state="pending",
        version=1,
        time=NOW,
        source="/test/1",
        events=events,
        correlation_id="c",
        actor=actor,
    )


@pytest.mark.parametrize("requested", [REQUESTED, GOAL_REQUESTED, PLAN_REQUESTED], ids=lambda one: one.type)
def test_who_asks_for_work_pays(requested: Event) -> None:
    assert payer_of([commit("key:ci", requested)]) == "key:ci"


@pytest.mark.parametrize("requested", [REQUESTED, GOAL_REQUESTED, PLAN_REQUESTED], ids=lambda one: one.type)
def test_a_request_may_say_who_pays(requested: Event) -> None:
    asked = requested.model_copy(update=BY_SCHEDULE)
    assert payer_of([commit("service:scheduler", asked)]) == "key:ci"


def test_who_resumes_a_run_pays_from_then_on() -> None:
    asked = REQUESTED.model_copy(update=BY_SCHEDULE)
    history = [
        commit("service:scheduler", asked),
        commit("service:scheduler", run.Suspended(reason="broke")),
        commit("key:boss", run.Resumed()),
    ]
    assert payer_of(history) == "key:boss"


@pytest.mark.parametrize(
    ("actor", "event"),
    [
        ("key:boss", ANSWERED),
        ("service:scheduler", run.AskExpired(step="1", attempt=1, expired_at=NOW)),
        ("key:boss", run.BudgetSet(budget=Budget(usd="1"))),
        ("key:boss", dag.Clarified(answer="the long one")),
        ("service:executor", run.TakenOver(executor="e2")),
    ],
    ids=lambda one: getattr(one, "type", one),
)
def test_an_answer_or_the_time_does_not_change_who_pays(actor: str, event: Event) -> None:
    assert payer_of([commit("key:ci", REQUESTED), commit(actor, event)]) == "key:ci"


def test_work_of_older_versions_which_name_no_actor_has_no_payer() -> None:
    assert payer_of([commit(None, REQUESTED)]) is None


def test_the_client_who_changed_a_goal_last_pays_for_what_its_schedules_start() -> None:
    history = [
        commit("key:ci", goal.Created(objective="find it")),
        commit("key:boss", goal.Paused()),
        commit("service:scheduler", goal.Resumed()),
    ]
    assert payer_of_schedule(history) == "key:boss"
    assert payer_of_schedule(history[:1]) == "key:ci"
    assert payer_of_schedule([]) is None


def test_who_answers_the_question_of_a_planner_does_not_pay_for_the_schedule_of_the_dag() -> None:
    history = [
        commit("key:ci", PLAN_REQUESTED),
        commit("key:ci", dag.AttemptMade(attempt=1, reason="initial"), ASKED),
        commit("key:boss", dag.Clarified(answer="the long one")),
        commit("key:boss", dag.AttemptMade(attempt=1, reason="initial"), dag.Planned(job=REQUESTED.job)),
    ]
    assert payer_of_schedule(history) == "key:ci"
