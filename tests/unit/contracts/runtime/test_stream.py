"""The one way to decide: decide, append, and after a conflict decide again about what the log has by then."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.domain.memory import MEMORY, Kept, State
from contracts.runtime.log import Conflict
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import ATTEMPTS, Origin, Stream, TooManyConflicts
from tests.any_source import CODEC

ORIGIN = Origin("/test/1")


class BusyLog(MemoryLog):
    """A log in which somebody else is always first."""

    appends = 0

    async def append(self, commit: Commit, *, after: int) -> int:
        self.appends += 1
        raise Conflict("too late")


def keep_once(run_id: str, state: State) -> Sequence[Event]:
    return [] if (run_id, 0) in state.ends else [Kept(run_id=run_id, added=(), recalled=())]


async def test_a_decision_about_an_old_state_is_made_again_about_the_new_one() -> None:
    log = MemoryLog(CODEC)
    stale = await Stream.open(log, MEMORY, "goal_1", ORIGIN)
    other = await Stream.open(log, MEMORY, "goal_1", ORIGIN)
    await other.decide(lambda state: keep_once("run_1", state))
    (kept,) = await stale.decide(lambda state: keep_once("run_2", state))
    assert stale.state.ends == {("run_1", 0), ("run_2", 0)}
    assert stale.version == 2
    assert isinstance(kept, Kept)


async def test_a_decision_that_another_writer_made_meanwhile_is_not_repeated() -> None:
    log = MemoryLog(CODEC)
    stale = await Stream.open(log, MEMORY, "goal_1", ORIGIN)
    other = await Stream.open(log, MEMORY, "goal_1", ORIGIN)
    await other.decide(lambda state: keep_once("run_1", state))
    assert await stale.decide(lambda state: keep_once("run_1", state)) == ()
    assert len(await log.read("memory", "goal_1")) == 1


async def test_a_decision_that_is_always_too_late_is_given_up() -> None:
    log = BusyLog(CODEC)
    stream = await Stream.open(log, MEMORY, "goal_1", ORIGIN)
    with pytest.raises(TooManyConflicts, match="memory goal_1"):
        await stream.decide(lambda state: keep_once("run_1", state))
    assert log.appends == ATTEMPTS


async def test_a_commit_says_who_asked_for_it_and_so_do_the_commits_that_follow_from_it() -> None:
    log = MemoryLog(CODEC)
    asked = Origin("/gateway/1", actor="key:ci")
    cause = await Stream.open(log, MEMORY, "goal_1", asked)
    await cause.decide(lambda state: keep_once("run_1", state))
    (recorded,) = await log.read("memory", "goal_1")
    following = await Stream.open(log, MEMORY, "goal_2", Origin("/executor/1").caused_by(recorded.commit))
    await following.decide(lambda state: keep_once("run_1", state))
    (after,) = await log.read("memory", "goal_2")
    assert (recorded.commit.actor, after.commit.actor) == ("key:ci", "key:ci")
    assert after.commit.causation_id == recorded.commit.id
