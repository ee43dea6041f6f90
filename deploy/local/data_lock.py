"""A data directory belongs to one running system, which says in it where it can be reached."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.runtime.process.service import UserError

FILE = "system.json"


class InUse(UserError):
    """Another system runs on the data directory, or it cannot be used at all."""


class Claim(BaseModel):
    """The system that has a data directory."""

    model_config = ConfigDict(frozen=True)

    pid: int = 0
    """0 when no system runs there."""
    url: str = ""
    """Of its API; empty until it is ready."""
    nats_url: str = ""
    ports: Mapping[str, int] = Field(default_factory=dict)
    """By part of the system; a start that is not told other ones uses them again."""

    def __str__(self) -> str:
        where = f", {self.url}" if self.url else ""
        return f"process {self.pid}{where}"


Announce = Callable[[Claim], None]
"""Tells others how to reach the system."""


@contextlib.contextmanager
def claimed(data: Path) -> Iterator[Announce]:
    """The data directory, made if need be, ours alone as long as the block lasts or this process lives.

    Raises:
        InUse: another system has it, or it cannot be made.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / FILE).touch(mode=0o600)  # the URL of a NATS may hold a password
        file = (data / FILE).open("a+")
    except OSError as error:
        raise InUse(
            f"{data} cannot be used: {error.strerror}; choose another directory with --data"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(
                f"a system ({claim_on(data) or 'just starting'}) already runs on {data}; "
                "use that one, stop it, or choose another directory with --data"
            ) from None

        def announce(claim: Claim) -> None:
            file.truncate(0)
            file.write(claim.model_dump_json())
            file.flush()

        announce(Claim(pid=os.getpid(), ports=ports_of(data)))
        yield announce
        announce(Claim(ports=ports_of(data)))


def claim_on(data: Path) -> Claim | None:
    """What the system that runs on `data`, or was killed there, says of itself; None where none was."""
    claim = _last_claim(data)
    return claim if claim and claim.pid else None


def ports_of(data: Path) -> Mapping[str, int]:
    """The ports of the system that was started on `data` last."""
    claim = _last_claim(data)
    return claim.ports if claim else {}


def _last_claim(data: Path) -> Claim | None:
    try:
        return Claim.model_validate_json((data / FILE).read_text())
    except (OSError, ValidationError):
        return None
