"""Records the unsettled messages of this process on local disk, so that a successor takes them over at once.

Without it, the messages of a killed process are delivered again only after `ack_wait`. Each process locks and
writes its own file. A file that can be locked belongs to a process that has ended.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from contracts.core.ids import new_id

SUFFIX = ".leases"
SIGNS_OF_LIFE = 3
"""Number of signs of life that a process sends in the duration of a lease."""
COMPACT_AT = 2000
"""Number of settled messages after which the file is rewritten."""


class Leases:
    """The ack subjects of unsettled messages. A lost file only delays redelivery, so it is not synced."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._path = directory / f"{new_id()}{SUFFIX}"
        self._held: set[str] = set()
        self._settled = 0
        self._file = self._rewrite()

    def add(self, ack_subject: str) -> None:
        """Record a delivered message."""
        self._held.add(ack_subject)
        os.write(self._file, f"+{ack_subject}\n".encode())

    def remove(self, ack_subject: str) -> None:
        """Record that a message is settled."""
        if ack_subject not in self._held:
            return
        self._held.discard(ack_subject)
        self._settled += 1
        if self._settled < COMPACT_AT:
            os.write(self._file, f"-{ack_subject}\n".encode())
        else:
            abandoned, self._file = self._file, self._rewrite()
            os.close(abandoned)

    def touch(self) -> None:
        """Record that this process has just sent a sign of life to the server."""
        os.utime(self._file)

    def close(self) -> None:
        """Close the file. Remove it if all messages are settled; otherwise leave it to the next process."""
        if not self._held:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def take_over(self, *, lease_s: float) -> list[str]:
        """Remove the files of ended processes in this directory and return the ack subjects in them.

        Stale files are ignored: their messages may have been delivered to other processes already, and a
        redelivery would take the messages from those. A file is stale if it is older than the lease minus
        one interval between signs of life. Every `add` and `remove` changes its time, so the last sign of
        life may be that much older than the file.
        """
        youngest_s = lease_s - lease_s / SIGNS_OF_LIFE
        left = []
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                # A file of the future is not young: the clock was set back since, and its age is unknown.
                if abs(time.time() - os.fstat(file.fileno()).st_mtime) < youngest_s:
                    left += _outstanding(file.read())
                path.unlink(missing_ok=True)
        return left

    def _rewrite(self) -> int:
        """Write and lock a new file, then rename it over the old one: it is never visible unlocked."""
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file, "".join(f"+{held}\n" for held in self._held).encode())
        fresh.replace(self._path)
        self._settled = 0
        return file


def _outstanding(journal: bytes) -> list[str]:
    held: dict[str, None] = {}
    for line in journal.decode("utf-8", "replace").splitlines():
        match line[:1], line[1:]:
            case "+", ack_subject:
                held[ack_subject] = None
            case "-", ack_subject:
                held.pop(ack_subject, None)
    return list(held)
