"""What every log guarantees, held against the one in memory and the one on NATS."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import Recorded
from contracts.core.ids import InvalidId
from contracts.runtime.log import (
    MAX_MESSAGE_BYTES,
    OFFLOAD_BYTES,
    Conflict,
    Halted,
    Log,
    TooLarge,
    Unavailable,
)
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream, transact
from tests.behaviour.both_logs import AnyLog, OnMemory, OnNats
from tests.behaviour.tails import first

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters


class LogBehaviour:
    """Each test is one rule."""

    async def test_appended_commits_are_read_back_in_order(self, log: Log, counters: Counters) -> None:
        one, two = counters.commit("a"), counters.commit("a", counters.reset(), version=2, state="zero")
        first_seq = await log.append(one, after=0)
        second_seq = await log.append(two, after=first_seq)
        assert list(await log.read("counter", "a")) == [Recorded(first_seq, one), Recorded(second_seq, two)]

    async def test_an_aggregate_without_commits_reads_as_nothing(self, log: Log) -> None:
        assert list(await log.read("counter", "never")) == []

    async def test_reading_starts_after_a_position(self, log: Log, counters: Counters) -> None:
        seq = await log.append(counters.commit("a"), after=0)
        later = await log.append(counters.commit("a", version=2), after=seq)
        assert [one.seq for one in await log.read("counter", "a", after=seq)] == [later]

    async def test_aggregates_do_not_see_each_other(self, log: Log, counters: Counters) -> None:
        """An id that begins like another is another."""
        await log.append(counters.commit("a"), after=0)
        await log.append(counters.commit("ab"), after=0)
        assert [one.commit.aggregate_id for one in await log.read("counter", "a")] == ["a"]

    async def test_several_events_of_one_decision_are_one_commit(self, log: Log, counters: Counters) -> None:
        commit = counters.commit("a", counters.added(amount=2), counters.added(amount=3))
        seq = await log.append(commit, after=0)
        assert list(await log.read("counter", "a")) == [Recorded(seq, commit)]

    async def test_a_stale_writer_is_refused(self, log: Log, counters: Counters) -> None:
        seq = await log.append(counters.commit("a"), after=0)
        await log.append(counters.commit("a", version=2), after=seq)
        with pytest.raises(Conflict):
            await log.append(counters.commit("a", version=2), after=seq)

    async def test_an_aggregate_is_created_once(self, log: Log, counters: Counters) -> None:
        await log.append(counters.commit("a"), after=0)
        with pytest.raises(Conflict):
            await log.append(counters.commit("a"), after=0)

    async def test_an_expectation_from_the_future_is_refused(self, log: Log, counters: Counters) -> None:
        with pytest.raises(Conflict):
            await log.append(counters.commit("a"), after=7)

    async def test_a_commit_changes_the_state_in_the_subject_and_the_lock_still_holds(
        self, log: Log, counters: Counters
    ) -> None:
        """The lock is on the aggregate, not on the subject of one of its states."""
        await log.append(counters.commit("a", state="positive"), after=0)
        with pytest.raises(Conflict):
            await log.append(counters.commit("a", state="zero"), after=0)

    async def test_appending_a_commit_again_gives_its_sequence(self, log: Log, counters: Counters) -> None:
        """The ack may have been lost."""
        commit = counters.commit("a")
        seq = await log.append(commit, after=0)
        assert await log.append(commit, after=0) == seq
        assert len(await log.read("counter", "a")) == 1

    async def test_a_commit_is_recognised_after_others_have_followed(
        self, log: Log, counters: Counters
    ) -> None:
        commit = counters.commit("a")
        seq = await log.append(commit, after=0)
        await log.append(counters.commit("a", version=2), after=seq)
        assert await log.append(commit, after=0) == seq
        assert len(await log.read("counter", "a")) == 2

    async def test_exactly_one_of_many_concurrent_writers_succeeds(
        self, log: Log, counters: Counters
    ) -> None:
        outcomes = await asyncio.gather(
            *(log.append(counters.commit("a"), after=0) for _ in range(20)), return_exceptions=True
        )
        assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19

    async def test_of_the_rivals_among_many_appends_at_once_exactly_one_succeeds(
        self, log: Log, counters: Counters
    ) -> None:
        before = await log.append(counters.commit("old"), after=0)
        rivals = {"old": before, "new": 0}
        commits = [(counters.commit(f"c{n}"), 0) for n in range(60)]
        commits += [
            (counters.commit(name, state=state), after)
            for name, after in rivals.items()
            for state in ("positive", "zero", "positive")
        ]
        commits += [(counters.commit(f"d{n}"), 0) for n in range(60)]
        appends = [log.append(commit, after=after) for commit, after in commits]
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert sum(isinstance(result, Conflict) for result in results) == 4
        for name, after in rivals.items():
            (stored,) = await log.read("counter", name, after=after)
            assert stored.seq in results

    async def test_of_many_appends_at_once_each_has_its_own_sequence(
        self, log: Log, counters: Counters
    ) -> None:
        names = [f"c{n}" for n in range(200)]
        seqs = await asyncio.gather(*(log.append(counters.commit(name), after=0) for name in names))
        assert [[one.seq for one in await log.read("counter", name)] for name in names] == [
            [seq] for seq in seqs
        ]

    async def test_of_many_appends_at_once_only_the_stale_one_is_refused(
        self, log: Log, counters: Counters
    ) -> None:
        await log.append(counters.commit("c77"), after=0)
        writers = [log.append(counters.commit(f"c{n}"), after=0) for n in range(200)]
        results = await asyncio.gather(*writers, return_exceptions=True)
        assert [n for n, result in enumerate(results) if isinstance(result, Conflict)] == [77]
        assert len({result for result in results if isinstance(result, int)}) == 199

    async def test_contended_decisions_are_all_made(self, log: Log, counters: Counters) -> None:
        """Read, fold, decide, append, or again."""
        origin = Origin("/test/1")
        decisions = (
            transact(log, counters.aggregate, "a", lambda _: [counters.added()], origin) for _ in range(8)
        )
        await asyncio.gather(*decisions)
        stream = await Stream.open(log, counters.aggregate, "a", origin)
        assert (stream.state, stream.version) == (8, 8)

    async def test_a_tail_delivers_the_past_and_then_the_present(self, log: Log, counters: Counters) -> None:
        past = await log.append(counters.commit("a"), after=0)
        async with aclosing(log.tail()) as batches:
            assert [one.seq for one in await anext(batches)] == [past]
            waiting = asyncio.ensure_future(anext(batches))
            present = await log.append(counters.commit("b"), after=0)
            assert [one.seq for one in await waiting] == [present]

    async def test_a_tail_starts_after_a_position(self, log: Log, counters: Counters) -> None:
        seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(5)]
        assert [one.seq for one in await first(log, 2, after=seqs[2])] == seqs[3:]

    async def test_a_tail_from_the_end_delivers_only_what_comes(self, log: Log, counters: Counters) -> None:
        last = await log.append(counters.commit("a"), after=0)
        async with aclosing(log.tail(after=last)) as batches:
            waiting = asyncio.ensure_future(anext(batches))
            present = await log.append(counters.commit("b"), after=0)
            assert [one.seq for one in await waiting] == [present]

    async def test_a_tail_selects_by_several_filters(self, log: Log, counters: Counters) -> None:
        wanted = [
            await log.append(counters.commit("a", state="zero"), after=0),
            await log.append(counters.commit("b", state="positive"), after=0),
        ]
        await log.append(counters.commit("c", state="negative"), after=0)
        wanted.append(await log.append(counters.commit("d", state="zero"), after=0))
        taken = await first(log, 3, "evt.counter.*.zero", "evt.counter.*.positive")
        assert [one.seq for one in taken] == wanted

    async def test_a_tail_has_neither_gaps_nor_duplicates(self, log: Log, counters: Counters) -> None:
        seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(300)]
        taken = asyncio.ensure_future(first(log, 600))
        seqs += await asyncio.gather(*(log.append(counters.commit(f"d{n}"), after=0) for n in range(300)))
        assert [one.seq for one in await taken] == sorted(seqs)

    async def test_tails_are_independent(self, log: Log, counters: Counters) -> None:
        tails = [asyncio.ensure_future(first(log, 3)) for _ in range(3)]
        for n in range(3):
            await log.append(counters.commit(f"c{n}"), after=0)
        one, *others = [[recorded.seq for recorded in taken] for taken in await asyncio.gather(*tails)]
        assert all(one == other for other in others)

    async def test_the_last_sequence_is_that_of_the_newest_commit(self, log: Log, counters: Counters) -> None:
        assert await log.last_seq() == 0
        seq = await log.append(counters.commit("a"), after=0)
        newest = await log.append(counters.commit("b", state="zero"), after=0)
        assert await log.last_seq() == newest
        assert await log.last_seq("evt.counter.*.positive") == seq
        assert await log.last_seq("evt.counter.*.positive", "evt.counter.*.zero") == newest
        assert await log.last_seq("evt.counter.*.lost") == 0

    async def test_a_halted_log_takes_no_commit_until_it_is_accepted(
        self, log: AnyLog, counters: Counters
    ) -> None:
        await log.append(counters.commit("a"), after=0)
        await log.halt("lost some")
        with pytest.raises(Halted, match="lost some"):
            await log.append(counters.commit("b"), after=0)
        assert (await log.state()).halted == "lost some"
        assert (await log.problem() or "").startswith("lost some. ")
        assert [one.commit.aggregate_id for one in await first(log, 1)] == ["a"]
        await log.accept()
        assert await log.problem() is None
        state = await log.state()
        assert (state.halted, state.accepted > "2") == ("", True)
        assert await log.append(counters.commit("b"), after=0) == 2

    async def test_a_message_is_recognised_by_its_digest(self, log: Log, counters: Counters) -> None:
        seq = await log.append(counters.commit("a"), after=0)
        (recorded,) = await first(log, 1)
        assert (await log.read("counter", "a"))[0].digest == recorded.digest
        assert await log.state_and_digest(seq) == (await log.state(), recorded.digest)
        assert await log.state_and_digest(seq + 1) == (await log.state(), None)
        assert await log.state_and_digest(0) == (await log.state(), None)

    async def test_sequences_grow(self, log: Log, counters: Counters) -> None:
        seqs = [await log.append(counters.commit(f"c{n}"), after=0) for n in range(5)]
        assert all(earlier < later for earlier, later in pairwise(seqs))

    async def test_a_commit_over_the_limit_is_refused(self, log: Log, counters: Counters) -> None:
        large = counters.added(remark="x" * MAX_MESSAGE_BYTES)
        with pytest.raises(TooLarge, match="object store"):
            await log.append(counters.commit("a", large), after=0)
        assert list(await log.read("counter", "a")) == []

    async def test_a_commit_just_under_the_limit_is_taken(self, log: Log, counters: Counters) -> None:
        commit = counters.commit("a", counters.added(remark="x" * (MAX_MESSAGE_BYTES - 2048)))
        seq = await log.append(commit, after=0)
        assert list(await log.read("counter", "a")) == [Recorded(seq, commit)]

    @pytest.mark.parametrize("bad", ["", "a.b", "*", ">", "a b", "a\r\nPUB x 0", "ä", "x" * 65])
    async def test_an_id_that_is_not_a_token_is_refused(self, log: Log, counters: Counters, bad: str) -> None:
        with pytest.raises(InvalidId):
            await log.append(counters.commit(bad), after=0)
        with pytest.raises(InvalidId):
            await log.read("counter", bad)

    @pytest.mark.parametrize(
        "note",
        [
            pytest.param({"text": "x" * (3 * 1024 * 1024)}, id="three megabytes"),
            pytest.param(["ä" * OFFLOAD_BYTES, "\x00", None, 1.5], id="a list over the limit"),
            pytest.param({"$blob": "0" * 64, "size": 1, "mediaType": "x/y"}, id="a seeming reference"),
            pytest.param({"$blob": None}, id="a seeming broken reference"),
            pytest.param("small", id="a small value"),
        ],
    )
    async def test_an_offloaded_field_comes_back_as_it_was(
        self, log: Log, counters: Counters, note: Any
    ) -> None:
        commit = counters.commit("a", counters.added(note=note), counters.reset())
        seq = await log.append(commit, after=0)
        assert list(await log.read("counter", "a")) == [Recorded(seq, commit)]
        assert await first(log, 1) == [Recorded(seq, commit)]

    async def test_a_reference_in_any_other_field_stays_a_reference(
        self, log: Log, counters: Counters
    ) -> None:
        reference = {"$blob": "0" * 64, "size": 1, "mediaType": "x/y"}
        await log.append(counters.commit("a", counters.added(remark=reference)), after=0)
        (recorded,) = await log.read("counter", "a")
        assert recorded.commit.events == (counters.added(remark=reference),)


class TestMemoryLog(OnMemory, LogBehaviour):
    async def test_a_lost_ack_leaves_the_commit_in_the_log(self, log: MemoryLog, counters: Counters) -> None:
        commit = counters.commit("a")
        log.lose_acks(1)
        with pytest.raises(Unavailable):
            await log.append(commit, after=0)
        assert await log.append(commit, after=0) == 1


class TestNatsLog(OnNats, LogBehaviour):
    pass
