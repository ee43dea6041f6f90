"""What this process has been given and not yet settled, on local disk: the next one takes it over at once.

Without it a killed process's messages come again only after `ack_wait`. Each process writes a file of its own
and holds a lock on it; a file that can be locked belongs to a process that is gone.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from contracts.core.ids import new_id

SUFFIX = ".leases"
SIGNS_OF_LIFE = 3
"""Times in a lease that a process tells the server that it has its messages."""
COMPACT_AT = 2000
"""Lines that are settled and still in the file, at most."""


class Leases:
    """The ack subjects of messages in hand. Losing them costs `ack_wait`, so nothing is synced."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._path = directory / f"{new_id()}{SUFFIX}"
        self._held: set[str] = set()
        self._settled = 0
        self._file = self._write_anew()

    def add(self, ack_subject: str) -> None:
        """This message is ours now."""
        self._held.add(ack_subject)
        os.write(self._file, f"+{ack_subject}\n".encode())

    def remove(self, ack_subject: str) -> None:
        """It is settled."""
        if ack_subject not in self._held:
            return
        self._held.discard(ack_subject)
        self._settled += 1
        if self._settled < COMPACT_AT:
            os.write(self._file, f"-{ack_subject}\n".encode())
        else:
            abandoned, self._file = self._file, self._write_anew()
            os.close(abandoned)

    def touch(self) -> None:
        """We are alive and have just told the server so."""
        os.utime(self._file)

    def close(self) -> None:
        """Forget the file when nothing is held; what is held is left to the next process."""
        if not self._held:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def take_over(self, *, lease_s: float) -> list[str]:
        """The ack subjects that processes which are gone left in this directory; their files are removed.

        Of a file that was not touched for too long nothing is taken: its messages may have gone to others,
        who would lose them by it. Every message that comes or goes touches it, so what was last told of the
        rest may be older than the file.
        """
        youngest_s = lease_s - lease_s / SIGNS_OF_LIFE
        left = []
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                if time.time() - os.fstat(file.fileno()).st_mtime < youngest_s:
                    left += _outstanding(file.read())
                path.unlink(missing_ok=True)
        return left

    def _write_anew(self) -> int:
        """Lock before the name can be found; the name then moves from the old file to the new one."""
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
