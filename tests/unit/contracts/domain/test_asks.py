"""Questions of a run to a person: who may answer what, until when, and what follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.core.event import Event, Json
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Answer, RunPolicy, Status, Success, ask_id, parse_ask_id
from tests import jobs

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)
POLICY = RunPolicy()
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}, "additionalProperties": False}


def requested(*steps: str, approval: bool = False) -> run.Requested:
    tasks = [{**jobs.task(step, "send", {"to": "a"}), "approval": approval} for step in steps]
    return run.Requested(dag_id="d", original_request="do it", job=jobs.job(*tasks))


def started(*steps: str) -> list[Event]:
    effects = dict.fromkeys(steps, Effect.READ)
    return [
        run.Started(executor="a", at=NOW, synthesis="merge"),
        run.StepsStarted(steps=steps, effects=effects),
    ]


def approval(step: str = "1", attempt: int = 1) -> run.Asked:
    return run.Asked(
        step=step,
        attempt=attempt,
        kind="approval",
        title="send it",
        tool="send",
        params={"to": "a"},
        params_sha256="0" * 64,
        answer_schema=SCHEMA,
        why="the plan says so",
    )


def question(step: str = "1", expires_at: datetime | None = None, schema: Any = None) -> run.Asked:
    asked = approval(step)
    return asked.model_copy(
        update={"kind": "question", "expires_at": expires_at, "answer_schema": schema, "title": "Who?"}
    )


def answered(verdict: run.Verdict, step: str = "1", **further: Json) -> run.Answered:
    return run.Answered(
        step=step, attempt=1, verdict=verdict, params_sha256="0" * 64, by="key:ann", at=NOW, **further
    )


def expired(step: str = "1") -> run.AskExpired:
    return run.AskExpired(step=step, attempt=1, expired_at=SOON)


WAITING = (requested("1"), *started("1"), approval(), run.Waiting())
ASKING = (requested("1"), *started("1"), question(expires_at=SOON), run.Waiting(until=SOON))
ANN = ("key:ann", NOW)


# ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_waits_when_nothing_else_can_go_on(given: Given) -> None:
    given(RUN, requested("1"), *started("1")).when(run.settle, [Success(approval())], NOW, POLICY).then_once(
        approval(), run.Waiting()
    )


def test_a_run_does_not_wait_while_another_step_runs(given: Given) -> None:
    given(RUN, requested("1", "2"), *started("1", "2")).when(
        run.settle, [Success(approval())], NOW, POLICY
    ).then_once(approval())


def test_a_run_waits_until_the_first_expiry(given: Given) -> None:
    asked = [question("1", LATER), question("2", SOON)]
    given(RUN, requested("1", "2"), *started("1", "2")).when(
        run.settle, [Success(one) for one in asked], NOW, POLICY
    ).then_once(*asked, run.Waiting(until=SOON))


def test_a_run_with_a_failed_step_waits_for_the_answer_before_it_is_suspended(given: Given) -> None:
    given(RUN, requested("1", "2"), *started("1", "2"), approval("1")).when(
        run.settle, [run.Failure("2", 1, "broke", 5, retryable=False)], NOW, POLICY
    ).then(run.StepFailed(step="2", attempt=1, error="broke", duration_ms=5), run.Waiting())


def test_a_waiting_run_is_neither_started_nor_taken_over(given: Given) -> None:
    given(RUN, *WAITING).when(run.start, "b", NOW, POLICY, llm=False).then_nothing()
    given(RUN, *WAITING).when(run.take_over, "b", NOW, POLICY).then_nothing()
    given(RUN, *WAITING).when(run.go_on, "b", NOW, POLICY).then_nothing()


def test_a_waiting_run_can_be_cancelled(given: Given) -> None:
    given(RUN, *WAITING).when(run.cancel, "enough").then_once(run.Cancelled(reason="enough"))


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_makes_a_waiting_run_pending(given: Given) -> None:
    given(RUN, *WAITING).when(run.answer, "1", 1, Answer("approve"), *ANN).then_once(answered("approve"))
    assert RUN.fold([*WAITING, answered("approve")]).status is Status.PENDING


def test_an_answered_run_goes_on_with_its_step(given: Given) -> None:
    given(RUN, *WAITING, answered("approve")).when(run.go_on, "b", NOW, POLICY).then_once(
        run.Continued(executor="b", at=NOW), run.StepsStarted(steps=("1",))
    )


def test_an_answer_to_a_running_run_leaves_it_running() -> None:
    state = RUN.fold([requested("1", "2"), *started("1", "2"), approval(), answered("approve")])
    assert (state.status, state.ready, state.executor) == (Status.RUNNING, ("1",), "a")


def test_only_the_first_answer_counts_and_the_next_is_told_who_answered_when(given: Given) -> None:
    given(RUN, *WAITING, answered("approve")).when(
        run.answer, "1", 1, Answer("reject"), "key:bob", LATER
    ).then_raises(
        run.AskClosed, match="key:ann has answered the question with approve at 2026-01-01T12:00:00"
    )


def test_the_same_answer_of_another_person_is_refused(given: Given) -> None:
    given(RUN, *WAITING, answered("approve")).when(
        run.answer, "1", 1, Answer("approve"), "key:bob", NOW
    ).then_raises(run.AskClosed, match="key:ann")


@pytest.mark.parametrize(
    ("history", "given_answer", "message"),
    [
        (WAITING, Answer("answer", value=1), "verdict: 'answer' does not fit: .*'approve' or 'reject'"),
        (ASKING, Answer("approve"), "verdict: 'approve' does not fit: .*'answer' or 'reject'"),
        (WAITING, Answer("reject", params={"to": "b"}), "params: .*only with the verdict 'approve'"),
        (WAITING, Answer("approve", params={"to": 1}), "params.to: 1 is not of type 'string'; give a text"),
        (WAITING, Answer("approve", params={"too": "b"}), "params: .*'too' was unexpected"),
        (WAITING, Answer("approve", value=1), "value: only the verdict 'answer' has one"),
        (ASKING, Answer("answer"), "value: give the answer"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_field_named(
    given: Given, history: tuple[Event, ...], given_answer: Answer, message: str
) -> None:
    given(RUN, *history).when(run.answer, "1", 1, given_answer, *ANN).then_raises(
        run.InvalidAnswer, match=message
    )


def test_the_answer_to_a_question_is_checked_by_its_schema(given: Given) -> None:
    asked = question(schema={"type": "integer", "minimum": 1})
    waiting = (requested("1"), *started("1"), asked, run.Waiting())
    given(RUN, *waiting).when(run.answer, "1", 1, Answer("answer", value=0), *ANN).then_raises(
        run.InvalidAnswer, match="value: 0 is less than the minimum of 1; give an integer of at least 1"
    )
    given(RUN, *waiting).when(run.answer, "1", 1, Answer("answer", value=3), *ANN).then_once(
        answered("answer", value=3)
    )


@pytest.mark.parametrize("schema", [{"$ref": "file:///etc/hostname"}, {"$ref": "#"}, {"pattern": "^(a+)+$"}])
def test_an_answer_is_refused_if_its_schema_cannot_be_used_or_would_take_for_ever(
    given: Given, schema: dict[str, Json]
) -> None:
    waiting = (requested("1"), *started("1"), question(schema=schema), run.Waiting())
    sent = Answer("answer", value="a" * 1000 + "!")
    given(RUN, *waiting).when(run.answer, "1", 1, sent, *ANN).then_raises(run.InvalidAnswer, match="value: ")


def test_edited_parameters_are_recorded_as_edited(given: Given) -> None:
    given(RUN, *WAITING).when(run.answer, "1", 1, Answer("approve", params={"to": "b"}), *ANN).then_once(
        answered("approve", params={"to": "b"})
    )


def test_an_approval_holds_for_the_next_attempts_and_after_a_resume() -> None:
    failed = run.StepFailed(step="1", attempt=2, error="broke")
    history = [*WAITING, answered("approve"), run.Continued(executor="b", at=NOW)]
    history += [run.StepsStarted(steps=("1",)), failed, run.Suspended(reason="broke"), run.Resumed()]
    assert "1" in RUN.fold(history).asks.approvals


@pytest.mark.parametrize("closed", [answered("reject"), expired()])
def test_a_resumed_run_asks_again_what_was_rejected_or_expired(closed: Event) -> None:
    history = [*WAITING, closed, run.Continued(executor="b", at=NOW), run.StepsStarted(steps=("1",))]
    history += [run.StepFailed(step="1", attempt=2, error="no"), run.Suspended(reason="no"), run.Resumed()]
    state = RUN.fold(history)
    assert (state.ready, dict(state.asks.closed)) == (("1",), {})


def test_a_question_of_a_suspended_run_is_withdrawn_and_asked_again(given: Given) -> None:
    stopped = [requested("1", "2"), *started("1", "2"), approval(), run.Suspended(reason="given up")]
    given(RUN, *stopped).when(run.answer, "1", 1, Answer("approve"), *ANN).then_raises(run.AskClosed)
    assert RUN.fold([*stopped, run.Resumed()]).ready == ("1", "2")


@pytest.mark.parametrize(("step", "attempt"), [("2", 1), ("1", 2), ("1", 0)])
def test_a_question_that_was_never_asked_is_unknown(given: Given, step: str, attempt: int) -> None:
    given(RUN, *WAITING).when(run.answer, step, attempt, Answer("approve"), *ANN).then_raises(run.UnknownAsk)


def test_the_question_of_an_earlier_attempt_is_closed(given: Given) -> None:
    again = [answered("reject"), run.Continued(executor="b", at=NOW), run.StepsStarted(steps=("1",))]
    given(RUN, *WAITING, *again, approval(attempt=2)).when(
        run.answer, "1", 1, Answer("approve"), *ANN
    ).then_raises(run.AskClosed)


# ── approvals and effects ───────────────────────────────────────────────────────────────────────────────


def test_asking_for_an_approval_may_be_repeated_and_the_approved_call_may_not(given: Given) -> None:
    policy = RunPolicy(effect_of=lambda _: Effect.ONCE)
    asks = requested("1", approval=True)
    begun = run.StepsStarted(steps=("1",), effects={"1": Effect.READ})
    given(RUN, asks).when(run.start, "a", NOW, policy, llm=False).then_once(started("1")[0], begun)
    waiting = (asks, *started("1"), approval(), run.Waiting(), answered("approve"))
    given(RUN, *waiting).when(run.go_on, "b", NOW, policy).then_once(
        run.Continued(executor="b", at=NOW), run.StepsStarted(steps=("1",))
    )


# ── expiry ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_expires_at_its_time(given: Given) -> None:
    given(RUN, *ASKING).when(run.expire, NOW).then_nothing()
    given(RUN, *ASKING).when(run.expire, SOON).then_once(expired())
    assert RUN.fold([*ASKING, expired()]).status is Status.PENDING


def test_an_answer_after_the_expiry_is_refused_even_if_nobody_has_recorded_it(given: Given) -> None:
    given(RUN, *ASKING).when(run.answer, "1", 1, Answer("answer", value="x"), "key:ann", SOON).then_raises(
        run.AskClosed, match="the question expired at 2026-01-01T12:01:00"
    )


def test_an_executor_closes_what_expires_while_other_steps_run(given: Given) -> None:
    history = [requested("1", "2"), *started("1", "2"), question(expires_at=SOON)]
    given(RUN, *history).when(run.settle, [], SOON, POLICY).then_once(
        expired(), run.StepsStarted(steps=("1",))
    )


# ── ids ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", ["001", "3.0", "a.b", "x-y_z"])
def test_the_id_of_a_question_names_run_step_and_attempt(step: str) -> None:
    assert parse_ask_id(ask_id("run_1", step, 12)) == ("run_1", step, 12)


@pytest.mark.parametrize(
    "text", ["", "run_1", "run_1.1", "run_1..1", "*.1.1", "run_1.1.x", "run_1.1.²", ".1.1"]
)
def test_no_other_text_is_the_id_of_a_question(text: str) -> None:
    with pytest.raises(run.UnknownAsk):
        parse_ask_id(text)
