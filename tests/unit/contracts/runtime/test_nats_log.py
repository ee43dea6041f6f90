"""What JetStream may answer to an append, and what becomes of it."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

import orjson
import pytest
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from contracts.core.aggregate import Aggregate
from contracts.core.codec import CONTENT_TYPE, Codec
from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.nats_log import NatsLog, Refused
from contracts.runtime.wire import Format


class Happened(Event):
    type: ClassVar[str] = "thing.happened"


CODEC = Codec((Aggregate("thing", None, lambda state, _: state, lambda _: "done", (Happened,)),))
COMMIT = Commit(
    id="commit1",
    aggregate="thing",
    aggregate_id="t1",
    state="done",
    version=1,
    time=datetime(2026, 1, 1, tzinfo=UTC),
    source="/test/1",
    events=(Happened(),),
    correlation_id="c1",
)
WRONG_LAST = [10071, 10164, 10201]


class Script:
    """A connection that answers what it is told to, and notes what it was asked."""

    interruptions = 0
    is_connected = False

    def __init__(self, *answers: dict[str, Any] | Exception, stored: dict[str, Any] | None = None) -> None:
        self.answers = list(answers)
        self.stored = stored or {}
        self.sent: list[tuple[str, bytes, dict[str, str]]] = []

    async def request(self, subject: str, payload: bytes, headers: dict[str, str], **_: Any) -> Msg:
        self.sent.append((subject, payload, headers))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Msg(_client=cast("Any", None), data=orjson.dumps(answer))

    async def api(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The leader's read of the next, or the last, message of the aggregate."""
        assert path == "STREAM.MSG.GET.LOG"
        found = self.stored.get("next" if "next_by_subj" in body else "last")
        if found is None:
            raise NotFoundError(code=404)
        return {"message": found}

    def log(self) -> NatsLog:
        return NatsLog(cast("Connection", self), Format(CODEC, MemoryBlobs()), deadline_s=1.0)


def refusal(code: int, err_code: int) -> dict[str, Any]:
    return {"error": {"code": code, "err_code": err_code, "description": "no"}}


def message(commit_id: str, seq: int) -> dict[str, Any]:
    headers = f"NATS/1.0\r\nNats-Msg-Id: {commit_id}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n".encode()
    return {"seq": seq, "subject": "evt.thing.t1.done", "hdrs": b64encode(headers).decode()}


async def test_an_ack_is_the_sequence() -> None:
    assert await Script({"stream": "LOG", "seq": 7}).log().append(COMMIT, after=0) == 7


async def test_a_duplicate_is_an_ack() -> None:
    assert await Script({"stream": "LOG", "seq": 7, "duplicate": True}).log().append(COMMIT, after=0) == 7


async def test_the_expectation_is_on_all_states_of_the_aggregate() -> None:
    script = Script({"seq": 7})
    await script.log().append(COMMIT, after=5)
    ((subject, _, headers),) = script.sent
    assert subject == "evt.thing.t1.done"
    assert headers == {
        "Nats-Msg-Id": "commit1",
        "Nats-Expected-Stream": "LOG",
        "Nats-Expected-Last-Subject-Sequence": "5",
        "Nats-Expected-Last-Subject-Sequence-Subject": "evt.thing.t1.>",
        "Content-Type": "application/cloudevents-batch+json",
    }


@pytest.mark.parametrize(
    "passing",
    [NoAnswer("timeout"), refusal(503, 10008), refusal(429, 10167), refusal(408, 10000), refusal(409, 10158)],
    ids=["no answer", "503", "429", "408", "an earlier try is still being written"],
)
async def test_a_message_is_sent_again_unchanged_after_a_temporary_error(
    passing: dict[str, Any] | Exception,
) -> None:
    script = Script(passing, passing, {"seq": 7})
    assert await script.log().append(COMMIT, after=0) == 7
    assert script.sent[0] == script.sent[1] == script.sent[2]


async def test_without_an_answer_it_is_unavailable() -> None:
    class Silence(Script):
        async def request(self, *args: Any, **options: Any) -> Msg:
            raise NoAnswer("nothing")

    log = NatsLog(cast("Connection", Silence()), Format(CODEC, MemoryBlobs()), deadline_s=0.05)
    with pytest.raises(Unavailable, match="nothing"):
        await log.append(COMMIT, after=0)


@pytest.mark.parametrize("err_code", WRONG_LAST)
async def test_a_stale_expectation_is_a_conflict(err_code: int) -> None:
    script = Script(refusal(400, err_code), stored={"next": message("other", 6)})
    with pytest.raises(Conflict):
        await script.log().append(COMMIT, after=5)


@pytest.mark.parametrize("err_code", WRONG_LAST)
async def test_a_stale_expectation_made_stale_by_the_very_commit_is_an_ack(err_code: int) -> None:
    script = Script(refusal(400, err_code), stored={"next": message("commit1", 6)})
    assert await script.log().append(COMMIT, after=5) == 6


@pytest.mark.parametrize("err_code", WRONG_LAST)
@pytest.mark.parametrize(("after", "last"), [(5, message("earlier", 5)), (0, None)])
async def test_a_commit_still_being_written_is_waited_for(
    err_code: int, after: int, last: dict[str, Any] | None
) -> None:
    """Replicas refuse while another write is under way, though nothing newer can be read yet."""
    script = Script(refusal(400, err_code), {"seq": 7}, stored={"last": last})
    assert await script.log().append(COMMIT, after=after) == 7


async def test_an_expectation_nothing_fulfils_is_a_conflict() -> None:
    script = Script(refusal(400, 10071), stored={"last": message("earlier", 3)})
    with pytest.raises(Conflict):
        await script.log().append(COMMIT, after=5)


async def test_any_other_refusal_is_fatal() -> None:
    script = Script(refusal(400, 10060))
    with pytest.raises(Refused, match="10060"):
        await script.log().append(COMMIT, after=0)
    assert len(script.sent) == 1
