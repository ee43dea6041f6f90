"""How much memory nats-server may use on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

MIB = 1024 * 1024
SHARE = 16
"""The part of the memory is one of so many."""
LEAST_MIB = 256
MOST_MIB = 1024
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Files with the limit of a container in bytes, of version 2 and 1 of cgroups."""


def nats_limit_mib(memory: int) -> int:
    """The limit for nats-server in MiB, where the machine or container has `memory` bytes."""
    return min(MOST_MIB, max(LEAST_MIB, memory // SHARE // MIB))


def memory_of_machine(limits: Sequence[Path] = CONTAINER_LIMITS) -> int:
    """The memory of the machine, or of the container if that has less, in bytes."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in limits:
        with contextlib.suppress(OSError, ValueError):  # the file does not exist, or its content is "max"
            found.append(int(file.read_text()))
    return min(found)
