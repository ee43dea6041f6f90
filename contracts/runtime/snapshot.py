"""Saves what followers have folded, so that a start takes no longer in a long log than in an empty one.

The server finds the commits of a few aggregates in a long log by walking through all of it. A process with a
snapshot asks it only for the commits after that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from contracts.core.aggregate import Snapshots
from contracts.runtime import snapshot_file
from contracts.runtime.continuity import LogRegressed, Mark, regression
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, Unavailable
from contracts.runtime.snapshot_file import Header, Unusable

S = TypeVar("S")

EVERY_S = 10.0
"""Minimum seconds between two snapshots."""
COMMITS = 2000
"""Minimum number of new commits in the log between two snapshots. The server walks through so
many in a few milliseconds."""
SHARE = 0.01
"""Maximum share of the time that is spent on snapshots."""
ANSWER_S = 2.0
"""Maximum seconds to wait for the log when the process stops."""

logger = structlog.get_logger(__name__)


class Snapshot(Generic[S]):
    """The snapshot of one process: the state that `followers` have folded, in the file `path`.

    `take` returns the state, `restore` replaces it. Call `Snapshot.restore` before the followers run.
    """

    def __init__(
        self,
        log: Log,
        path: Path,
        form: Snapshots[S],
        followers: Sequence[Follower],
        *,
        take: Callable[[], S],
        restore: Callable[[S], None],
    ) -> None:
        self._log = log
        self._path = path
        self._form = form
        self._followers = followers
        self._take = take
        self._restore = restore
        self._saved_seq = 0
        """Sequence of the newest message of the log at the last snapshot."""
        self._failure = ""
        """Why the last snapshot could not be saved."""

    async def restore(self) -> None:
        """Restore the state in the file. If it cannot be used, the followers will read the whole log."""
        try:
            header, text = snapshot_file.read(self._path)
            await snapshot_file.require_same_log(header, self._log)
            state = self._form.restored(text)
            if state is None or header.included.keys() != {_name(one) for one in self._followers}:
                raise Unusable("another version of the software wrote it")
        except FileNotFoundError:
            return
        except (Unusable, OSError, Unavailable) as error:
            logger.warning(
                "not using the snapshot; reading the whole log", path=str(self._path), reason=str(error)
            )
            return
        self._restore(state)
        for follower in self._followers:
            follower.seq, follower.last = header.included[_name(follower)], header.mark
        self._saved_seq = header.mark.seq

    async def run(self) -> None:
        """A worker: saves snapshots until cancelled."""
        pause_s = EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            begun = time.monotonic()
            await self.save()
            pause_s = max(EVERY_S, (time.monotonic() - begun) / SHARE)

    async def close(self) -> None:
        """Save a last snapshot, when the followers have stopped."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.save()
        except TimeoutError:
            logger.info("no snapshot was saved at the end: the log does not answer")

    async def save(self) -> None:
        """Save a snapshot if the log has at least COMMITS more commits than at the last one.

        A state in which an event is missing, because this process cannot read it, is not saved: a later
        process may be able to read the event.
        """
        try:
            newest = await self._log.last_seq()
            if newest - self._saved_seq < COMMITS or any(one.has_unread for one in self._followers):
                return
            header, text = await self._taken(newest)
            if text is not None:
                await asyncio.to_thread(snapshot_file.write, self._path, header, text)
            self._saved_seq, self._failure = newest, ""
        except (Unavailable, LogRegressed) as error:
            logger.info("no snapshot was saved", reason=str(error))
        except OSError as error:
            if str(error) != self._failure:
                logger.warning(
                    "cannot save a snapshot; the next start reads the whole log", reason=str(error)
                )
            self._failure = str(error)

    async def _taken(self, newest: int) -> tuple[Header, str | None]:
        """The state, and what it includes. `newest`: sequence of a message that was the newest of the log.

        Raises:
            LogRegressed: the log has lost commits that the state includes.
        """
        log, digest = await self._log.state_and_digest(newest)
        end = Mark(newest, digest or "")
        last = [await self._log.last_seq(*one.filters) for one in self._followers]
        for follower in self._followers:
            if reason := await regression(self._log, follower.last):
                raise LogRegressed(reason)
        # From here on nothing is awaited, so that the state and the positions belong together.
        for follower, seq in zip(self._followers, last, strict=True):
            if follower.seq >= seq:
                follower.seq = max(follower.seq, newest)
        included = {_name(one): one.seq for one in self._followers}
        mark = max(end, *(one.last for one in self._followers), key=lambda mark: mark.seq)
        program = snapshot_file.program_version()
        header = Header(program, log.created, log.accepted, included, mark)
        return header, self._form.taken(self._take())


def _name(follower: Follower) -> str:
    return " ".join(follower.filters)
