"""A local file with the state that a process has folded, so that the next one reads only later commits.

A lost, damaged or old file costs time only: the process then reads the whole log. So the file is not synced,
and nothing that goes wrong with it is an error of the process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from glob import escape
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contracts.runtime.continuity import Mark
from contracts.runtime.log import Log

LEFTOVER_S = 3600
"""Seconds after which a new file that has not replaced the old one belongs to no living process."""


class Unusable(Exception):
    """The file cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the state in the file includes, and what identifies the log that it was folded from."""

    program: str
    """Version of the software that wrote the file."""
    created: str
    """Creation time of the log."""
    accepted: str
    """When an operator last accepted that the log had lost commits."""
    included: Mapping[str, int]
    """For each subject filter: the sequence up to which its commits are included."""
    mark: Mark
    """A message that the log must still have, and so all before it: the newest one when the state was taken,
    or the last one that was folded if that is newer."""


HEADER = TypeAdapter(Header)


@cache
def program_version() -> str:
    """Version of the installed software."""
    return version("async-agent")


def read(path: Path) -> tuple[Header, str]:
    """The header and the state in a file that `write` wrote.

    Raises:
        Unusable: the file is damaged, or another version of the software wrote it.
        OSError: the file cannot be read, or does not exist.
    """
    digest, _, content = path.read_bytes().partition(b"\n")
    if digest.decode(errors="replace") != sha256(content).hexdigest():
        raise Unusable("it is damaged")
    header_text, _, state = content.partition(b"\n")
    try:
        header = HEADER.validate_json(header_text)
    except ValidationError as error:
        raise Unusable("another version of the software wrote it") from error
    if header.program != program_version():
        raise Unusable(f"version {header.program} of the software wrote it")
    return header, state.decode(errors="replace")


def write(path: Path, header: Header, state: str) -> None:
    """Replace the file. A reader sees the old file or the new one; only the owner of the file may read it.

    Raises:
        OSError: the file cannot be written. The old one is unchanged.
    """
    content = HEADER.dump_json(header) + b"\n" + state.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")  # other processes may write the same file
    fresh.unlink(missing_ok=True)
    try:
        fresh.touch(mode=0o600)
        fresh.write_bytes(sha256(content).hexdigest().encode() + b"\n" + content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove new files of processes that were killed while they wrote."""
    for file in path.parent.glob(f"{escape(path.name)}.*.new"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > LEFTOVER_S:
                file.unlink()


async def require_same_log(header: Header, log: Log) -> None:
    """Check that `log` is the one in `header`, and has lost none of the commits that the state includes.

    Raises:
        Unusable: it is another log, or has another message at the mark.
        Unavailable: the log could not be reached.
    """
    state, digest = await log.state_and_digest(header.mark.seq)
    if (header.created, header.accepted) != (state.created, state.accepted):
        raise Unusable("it belongs to another log, or to the log before it lost commits")
    if digest != header.mark.digest:
        raise Unusable(f"the log no longer has the message {header.mark.seq} that it includes")
