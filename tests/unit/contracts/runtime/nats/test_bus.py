"""Small parts of the way to NATS."""

from __future__ import annotations

from itertools import islice
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from contracts.runtime.memory_log import matches
from contracts.runtime.nats.client import NatsClient, UnreadHeaders, header_lines
from contracts.runtime.nats.pull import DeliveryInfo
from contracts.runtime.nats.replies import Sink
from contracts.runtime.nats.retry import LONGEST_PAUSE_S, NoAnswer, pauses, retry_until


@pytest.mark.parametrize(
    "ack_subject",
    [
        "$JS.ACK.LOG.worker.3.42.7.1795445889137392896.5",
        "$JS.ACK.hub.ACCOUNT.LOG.worker.3.42.7.1795445889137392896.5",
        "$JS.ACK.hub.ACCOUNT.LOG.worker.3.42.7.1795445889137392896.5.random",
    ],
    ids=["plain", "with domain", "with domain and token"],
)
def test_an_ack_subject_tells_the_place_of_its_message(ack_subject: str) -> None:
    assert DeliveryInfo.of(ack_subject) == DeliveryInfo(attempt=3, seq=42, delivery=7, pending=5)


@pytest.mark.parametrize(
    ("subject", "subject_filter", "expected"),
    [
        ("evt.run.a.pending", "evt.>", True),
        ("evt.run.a.pending", "evt.run.a.>", True),
        ("evt.run.a.pending", "evt.run.*.pending", True),
        ("evt.run.a.pending", "evt.run.a.pending", True),
        ("evt.run.a.pending", "evt.run.*.running", False),
        ("evt.run.a.pending", "evt.run.*", False),
        ("evt.run.a.pending", "evt.run.a.pending.>", False),
        ("evt.run.ab.pending", "evt.run.a.>", False),
        ("evt", "evt.>", False),
    ],
)
def test_filters_match_as_those_of_nats(subject: str, subject_filter: str, expected: bool) -> None:
    assert matches(subject, subject_filter) is expected


def test_pauses_grow_and_stay_bounded() -> None:
    first, *_, last = islice(pauses(), 12)
    assert first < 0.05
    assert 0.7 * LONGEST_PAUSE_S < last < 1.3 * LONGEST_PAUSE_S


async def test_a_request_is_repeated_only_if_its_answer_is_missing() -> None:
    asked = []

    async def ask() -> None:
        asked.append(1)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  the type is all there is
        await retry_until(ask, deadline_s=1)
    assert len(asked) == 1


async def test_the_first_answer_counts() -> None:
    answers: list[Exception | str] = [NoAnswer("1"), NoAnswer("2"), "yes"]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await retry_until(ask, deadline_s=5) == "yes"


def test_nats_py_still_has_the_header_parser_that_ours_replaces() -> None:
    raw = b"Nats-Msg-Id: a: b\r\nEmpty:\r\nNo-Space:x\r\nnot a header\r\n\r\n"
    assert NatsClient._parse_header_lines(raw) == Client._parse_header_lines(raw)


async def test_a_sink_outlives_what_its_function_raises() -> None:
    """nats-py calls it within the read loop, which an exception would end."""
    received: list[Msg] = []

    def receive(msg: Msg) -> None:
        received.append(msg)
        raise ValueError

    sink = Sink(receive)
    for _ in range(2):
        assert not sink.cancelled()
        sink.set_result(Msg(_client=cast("Any", None), subject="a"))
    assert len(received) == 2


def test_headers_are_looked_up_as_they_would_be_parsed() -> None:
    """The last one of a name counts. The server adds its own after those of a stored message."""
    raw = b"NATS/1.0\r\nA: 1\r\nB:\r\nNats-Stream: LOG\r\nA:  2:3 \r\nNats-Stream: OBJ\r\nC: \xc3\xa4\r\n\r\n"
    headers = UnreadHeaders(raw)
    assert dict(headers) == header_lines(raw[8:]) == {"A": "2:3", "B": "", "Nats-Stream": "OBJ", "C": "ä"}
    assert {name: headers[name] for name in headers} == dict(headers)
    assert headers
    assert not UnreadHeaders(b"NATS/1.0\r\n\r\n")
    assert "a" not in headers
    assert headers.get("Stream") is None
    assert dict(headers.before_last("Nats-Stream")) == {"A": "2:3", "B": "", "Nats-Stream": "LOG"}
    assert dict(headers.before_last("A")) == {"A": "1", "B": "", "Nats-Stream": "LOG"}
    assert headers.before_last("A")["Nats-Stream"] == "LOG"
