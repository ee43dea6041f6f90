"""The lock of a data directory. The running system owns the directory and stores its addresses there."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.core.user_error import UserError

FILE = "system.json"


class InUse(UserError):
    """Another system runs on the data directory, or the directory cannot be used."""


class Claim(BaseModel):
    """The system that owns a data directory."""

    model_config = ConfigDict(frozen=True)

    pid: int = 0
    """Process id. 0 if no system runs on the directory."""
    url: str = ""
    """URL of the API. Empty until the system is ready."""
    nats_url: str = ""
    ports: Mapping[str, int] = Field(default_factory=dict)
    """Ports by part of the system. The next start reuses them by default."""

    def __str__(self) -> str:
        where = f", {self.url}" if self.url else ""
        return f"process {self.pid}{where}"


Announce = Callable[[Claim], None]
"""Stores the addresses of the system in the data directory."""


@contextlib.contextmanager
def claimed(data: Path) -> Iterator[Announce]:
    """Lock the data directory until the end of the block or of this process. Create it if it is missing.

    Raises:
        InUse: another system owns the directory, or it cannot be created.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / FILE).touch(mode=0o600)  # the URL of NATS may contain a password
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
    """Return the addresses of the system that runs or was killed on `data`, or None."""
    claim = _last_claim(data)
    return claim if claim and claim.pid else None


def ports_of(data: Path) -> Mapping[str, int]:
    """Return the ports of the last system on `data`."""
    claim = _last_claim(data)
    return claim.ports if claim else {}


def _last_claim(data: Path) -> Claim | None:
    try:
        return Claim.model_validate_json((data / FILE).read_text())
    except (OSError, ValidationError):
        return None
