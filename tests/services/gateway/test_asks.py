"""Questions of runs to a person over HTTP: the inbox, one question, and its answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import run
from contracts.domain.run import RUN
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOW = datetime.now(UTC)
SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string"}},
    "required": ["to"],
    "additionalProperties": False,
}


def approval(step: str = "001", **changes: Any) -> run.Asked:
    asked = run.Asked(
        step=step,
        attempt=1,
        kind="approval",
        title="Send the report",
        tool="noop",
        params={"to": "a@b.org"},
        params_sha256="0" * 64,
        answer_schema=SCHEMA,
        why="the plan says so",
    )
    return asked.model_copy(update=changes)


def question(**changes: Any) -> run.Asked:
    return approval(kind="question", title="Which city?", answer_schema=None, **changes)


async def waits(api: Api, run_id: str = "e1", ask: run.Asked | None = None) -> str:
    """A run that waits for a person. Returns the id of its question."""
    ask = ask or approval()
    await api.write(
        RUN,
        run_id,
        run.Requested(dag_id="d1", original_request="do it", job=jobs.job(jobs.task(ask.step))),
        run.Started(executor="x", at=NOW, synthesis="merge"),
        run.StepsStarted(steps=(ask.step,)),
        ask,
        run.Waiting(until=ask.expires_at),
    )
    return run.ask_id(run_id, ask.step, 1)


async def test_a_question_is_shown_with_all_that_is_needed_to_decide(api: Api) -> None:
    id_ = await waits(api)
    shown = (await api.get(f"/api/v1/asks/{id_}")).json
    assert shown.pop("askedAt")
    assert shown == {
        "id": id_,
        "runId": "e1",
        "step": "001",
        "kind": "approval",
        "status": "open",
        "title": "Send the report",
        "tool": "noop",
        "params": {"to": "a@b.org"},
        "paramsSha256": "0" * 64,
        "answerSchema": SCHEMA,
        "why": "the plan says so",
        "policy": None,
        "expiresAt": None,
        "closedAt": None,
        "verdict": None,
        "editedParams": None,
        "value": None,
        "comment": None,
        "answeredBy": None,
    }


async def test_the_questions_of_one_run_are_listed(api: Api) -> None:
    await waits(api, "e1")
    second = await waits(api, "e2")

    shown = (await api.get("/api/v1/asks?runId=e2&status=open")).json

    assert [one["id"] for one in shown["asks"]] == [second]


async def test_the_inbox_lists_open_questions_page_by_page_newest_first(api: Api) -> None:
    ids = [await waits(api, f"e{n}") for n in range(5)]
    await api.post(f"/api/v1/asks/{ids[2]}/answer", {"verdict": "reject"})
    first = (await api.get("/api/v1/asks?status=open&limit=2")).json
    then = await api.get(f"/api/v1/asks?status=open&limit=2&cursor={first['nextCursor']}")
    listed = [one["id"] for one in (*first["asks"], *then.json["asks"])]
    assert set(listed) == {*ids} - {ids[2]}
    assert listed == sorted(listed, reverse=True)
    assert 'rel="next"' in then.headers["link"]
    last = (await api.get(f"/api/v1/asks?status=open&limit=2&cursor={then.json['nextCursor']}")).json
    assert last == {"asks": [], "nextCursor": None}


async def test_an_approval_is_recorded_with_who_gave_it(api: Api) -> None:
    id_ = await waits(api)
    given = {"verdict": "approve", "params": {"to": "c@d.org"}, "comment": "to the other one"}
    answer = await api.post(f"/api/v1/asks/{id_}/answer", given)
    assert (answer.status, answer.json) == (200, {"id": id_, "runId": "e1", "verdict": "approve"})
    shown = (await api.get(f"/api/v1/asks/{id_}")).json
    assert shown["closedAt"]
    assert {name: shown[name] for name in ("status", "editedParams", "comment", "answeredBy")} == {
        "status": "approved",
        "editedParams": {"to": "c@d.org"},
        "comment": "to the other one",
        "answeredBy": "anonymous",
    }


async def test_the_run_of_an_answered_question_is_pending_again(api: Api) -> None:
    id_ = await waits(api, ask=question())
    shown = (await api.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["waitingTasks"]) == ("waiting", 1)
    await api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "answer", "value": {"city": "Paris"}})
    shown = (await api.get("/api/v1/dag-executions/e1")).json
    assert (shown["status"], shown["waitingTasks"]) == ("pending", 0)


async def test_one_of_two_answers_at_once_counts_and_the_other_is_refused(api: Api) -> None:
    id_ = await waits(api)
    answers = await asyncio.gather(
        api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "approve"}),
        api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "reject"}),
    )
    assert sorted(one.status for one in answers) == [200, 409]
    (refused,) = [one.json for one in answers if one.status == 409]
    assert "anonymous has answered the question with" in refused["error"]


async def test_the_same_answer_sent_again_is_accepted_and_stored_once(api: Api) -> None:
    id_ = await waits(api)
    for _ in range(2):
        assert (await api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "approve"})).status == 200
    events = [event for one in await api.log.read("run", "e1") for event in one.commit.events]
    assert sum(isinstance(event, run.Answered) for event in events) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"verdict": "approve", "params": {"to": 5}}, "params.to: 5 is not of type 'string'; give a text"),
        ({"verdict": "approve", "params": {}}, "params: 'to' is a required property"),
        ({"verdict": "answer", "value": 1}, "verdict: 'answer' does not fit"),
    ],
)
async def test_an_answer_that_does_not_fit_is_refused_and_nothing_is_stored(
    api: Api, body: dict[str, Any], message: str
) -> None:
    id_ = await waits(api)
    answer = await api.post(f"/api/v1/asks/{id_}/answer", body)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert len(await api.log.read("run", "e1")) == 1


async def test_an_expired_question_cannot_be_answered(api: Api) -> None:
    id_ = await waits(api, ask=question(expires_at=NOW - timedelta(seconds=1)))
    answer = await api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "answer", "value": 1})
    assert answer.status == 409
    assert "expired" in answer.json["error"]


@pytest.mark.parametrize("id_", ["nope", "e1.001.2", "e2.001.1", "*.001.1", "e1.002.1", "a%20b.001.1"])
async def test_an_unknown_question_is_not_found(api: Api, id_: str) -> None:
    await waits(api)
    assert (await api.get(f"/api/v1/asks/{id_}")).status == 404
    assert (await api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "approve"})).status == 404


async def test_a_question_of_a_cancelled_run_is_withdrawn(api: Api) -> None:
    id_ = await waits(api)
    await api.write(RUN, "e1", run.Cancelled(reason="enough"))
    assert (await api.get(f"/api/v1/asks/{id_}")).json["status"] == "withdrawn"
    assert (await api.post(f"/api/v1/asks/{id_}/answer", {"verdict": "approve"})).status == 409
    assert (await api.get("/api/v1/asks?status=open")).json["asks"] == []


async def test_the_questions_of_a_deleted_run_are_gone(api: Api) -> None:
    id_ = await waits(api)
    await api.write(RUN, "e1", run.Cancelled(reason="enough"), run.Deleted())
    assert (await api.get(f"/api/v1/asks/{id_}")).status == 404
