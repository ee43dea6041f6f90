"""Messages in the log that no writer of it has published, or that a reader cannot read: on both logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.core.codec import Forged, Undecodable
from contracts.core.unread import UnreadHistory, readable
from contracts.core.writers import writes
from contracts.runtime.log import Conflict, Log
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import COPIED, EXPECTED, PLACE, PUBLISHED
from tests.behaviour.both_logs import AnyLog, OnMemory, OnNats
from tests.behaviour.tails import Inject, first

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters


SENT_BY_THE_SERVER: Sequence[Mapping[str, str]] = (
    {},
    {
        **PUBLISHED,
        EXPECTED: "0",
        f"{EXPECTED}-Subject": "evt.counter.nobody.>",
        PLACE: "1,1",
        COPIED: "evt.counter.b.positive",
    },
)
"""Headers of what a server sends to the reply subject of a request: an answer, and a stored message."""


class ForeignMessages:
    """Each test is one rule."""

    @pytest.mark.parametrize(
        "junk",
        [
            b"",
            b"garbage",
            b"{}",
            b"[]",
            b"[1]",
            b"[{}]",
            b'[{"type": "counter.added", "$blob": 1}]',
            b'[{"type": 7, "data": {"note": {"$blob": 1}}}]',
        ],
    )
    async def test_a_tail_skips_a_message_that_is_not_a_commit(
        self, log: Log, counters: Counters, inject: Inject, junk: bytes
    ) -> None:
        """Readers that wait for the newest sequence are told that they have reached it."""
        before = await log.append(counters.commit("a"), after=0)
        broken = await inject("evt.counter.b.positive", junk)
        after = await log.append(counters.commit("c"), after=0)
        last = await inject("evt.counter.d.positive", junk)
        taken = await first(log, 4)
        assert [one.seq for one in taken] == [before, broken, after, last]
        assert [len(one.commit.events) for one in taken] == [1, 0, 1, 0]

    @pytest.mark.parametrize("sent", SENT_BY_THE_SERVER, ids=["an answer", "a copy"])
    @pytest.mark.parametrize("commits", [0, 1, 2, 40])
    @pytest.mark.parametrize("twice", [1, 2])
    async def test_a_message_that_no_writer_has_published_changes_nothing(
        self, log: Log, counters: Counters, inject: Inject, sent: Mapping[str, str], commits: int, twice: int
    ) -> None:
        """Wherever it is among the commits of an aggregate: it is not one of them."""
        forged = counters.codec.encode(counters.commit("a", version=commits + 1))
        stream = await Stream.open(log, counters.aggregate, "a", Origin("/test/1"))
        seqs = []
        for _ in range(commits):
            await stream.append([counters.added()])
            seqs.append(stream.seq)
        skipped = [await inject("evt.counter.a.positive", forged, sent) for _ in range(twice)]
        assert [one.seq for one in await log.read("counter", "a")] == seqs
        newest = await log.newest("counter", "a")
        assert (newest.seq if newest else 0) == ([0, *seqs])[-1]
        await stream.decide(lambda _: [counters.added()])
        opened = await Stream.open(log, counters.aggregate, "a", Origin("/test/1"))
        assert (opened.state, opened.seq, opened.version) == (commits + 1, stream.seq, commits + 1)
        assert [one.seq for one in await log.read("counter", "a")] == [*seqs, stream.seq]
        assert [one.seq for one in await log.read("counter", "a", after=seqs[0] if seqs else 0)] == [
            *seqs[1:],
            stream.seq,
        ]
        told = await first(log, commits + twice + 1)
        assert [one.seq for one in told if not one.commit.events] == skipped

    @pytest.mark.parametrize("sent", SENT_BY_THE_SERVER, ids=["an answer", "a copy"])
    async def test_a_writer_that_has_seen_less_conflicts_also_over_messages_that_are_no_commits(
        self, log: Log, counters: Counters, inject: Inject, sent: Mapping[str, str]
    ) -> None:
        seq = await log.append(counters.commit("a"), after=0)
        await inject("evt.counter.a.positive", b"junk", sent)
        await log.append(counters.commit("a", version=2), after=seq)
        with pytest.raises(Conflict):
            await log.append(counters.commit("a", version=2), after=seq)

    @pytest.mark.parametrize(
        "subject", ["evt.counter.b.positive", "evt.counter.a.zero", "evt.other.a.positive"]
    )
    async def test_a_commit_on_the_subject_of_another_one_is_skipped(
        self, log: Log, counters: Counters, inject: Inject, subject: str
    ) -> None:
        seq = await inject(subject, counters.codec.encode(counters.commit("a")))
        await log.append(counters.commit("c"), after=0)
        recorded = await first(log, 2)
        assert [(one.seq, one.commit.aggregate_id) for one in recorded] == [(seq, ""), (seq + 1, "c")]
        _, aggregate, aggregate_id, _ = subject.split(".")
        with pytest.raises(Forged, match=subject):
            await log.read(aggregate, aggregate_id)

    async def test_a_commit_is_skipped_unless_its_source_may_write_it(
        self, log: AnyLog, counters: Counters, inject: Inject
    ) -> None:
        seq = await inject("evt.counter.a.positive", counters.codec.encode(counters.commit("a")))
        adding = {"counter": writes(("positive",), type(counters.added()))}
        for service, passed in (("other", ""), ("test", "a")):
            log.format = replace(log.format, codec=replace(counters.codec, writers={service: adding}))
            (recorded,) = await first(log, 1)
            assert (recorded.seq, recorded.commit.aggregate_id) == (seq, passed)

    @pytest.mark.parametrize(
        "change",
        [
            {"subject": {"a": 1}},
            {"commit": None},
            {"version": 0},
            {"version": "1"},
            {"state": 5},
            {"time": "yesterday"},
            {"source": []},
            {"correlationid": 1},
            {"data": "text"},
            {"data": {"amount": "many"}},
            {"dataschema": "/schemas/counter.added/first"},
        ],
        ids=str,
    )
    async def test_a_message_with_a_wrong_attribute_is_not_a_commit(
        self, log: Log, counters: Counters, inject: Inject, change: dict[str, Any]
    ) -> None:
        (envelope,) = orjson.loads(counters.codec.encode(counters.commit("a")))
        await inject("evt.counter.a.positive", orjson.dumps([{**envelope, **change}]))
        (taken,) = await first(log, 1)
        assert taken.commit.events == ()
        with pytest.raises(Undecodable):
            await log.read("counter", "a")

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "counter.doubled", "dataschema": "/schemas/counter.doubled/1"},
            {"dataschema": "/schemas/counter.added/2"},
        ],
        ids=["an unknown type", "a newer version"],
    )
    async def test_an_event_of_a_newer_version_is_delivered_as_it_is_and_refuses_decisions(
        self, log: Log, counters: Counters, inject: Inject, change: dict[str, Any]
    ) -> None:
        """So that services can be upgraded one after the other."""
        two = counters.commit("a", counters.added(), counters.reset())
        newer, reset = orjson.loads(counters.codec.encode(two))
        newer |= {**change, "data": {"factor": 2, "note": {"$blob": "0" * 64}}}
        payload = orjson.dumps([newer, reset])
        seq = await inject("evt.counter.a.positive", payload)
        (taken,) = await first(log, 1)
        assert (taken.seq, taken.commit.last_version) == (seq, 2)
        assert list(readable(taken.commit.events)) == [counters.reset()]
        assert orjson.loads(counters.codec.encode(taken.commit)) == [newer, reset]
        with pytest.raises(UnreadHistory, match=rf"{newer['dataschema']} is unknown.*upgrade this service"):
            await Stream.open(log, counters.aggregate, "a", Origin("/test/1"))

    async def test_an_event_whose_large_value_is_lost_is_delivered_and_refuses_decisions(
        self, log: Log, counters: Counters, inject: Inject
    ) -> None:
        lost = {"$blob": "0" * 64, "size": 1, "mediaType": "application/json"}
        two = counters.commit("a", counters.added(), counters.reset())
        added, reset = orjson.loads(counters.codec.encode(two))
        added["data"]["note"] = lost
        await inject("evt.counter.a.positive", orjson.dumps([added, reset]))
        (taken,) = await first(log, 1)
        assert list(readable(taken.commit.events)) == [counters.reset()]
        with pytest.raises(UnreadHistory, match=r"blob 0+ is missing.*restore the object store"):
            await Stream.open(log, counters.aggregate, "a", Origin("/test/1"))


class TestMemoryLog(OnMemory, ForeignMessages):
    pass


class TestNatsLog(OnNats, ForeignMessages):
    pass
