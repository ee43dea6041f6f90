"""What is done to the processes: a plan made of a seed, and carried out by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass

from deploy.local.system import NATS
from tests.chaos.world import World

PAUSE_S = (0.5, 2.5)
"""Between faults, at least and at most."""
STOP_S = (0.5, 9.0)
"""How long a process stands still: longer than its lease, at times."""
STALL_S = (1.0, 7.0)
"""How long NATS stands still: longer than an attempt to append waits, at times."""
KINDS = {"kill": 45, "term": 10, "stop": 20}
NATS_KINDS = {"kill": 12, "stop": 13}
VICTIMS = (
    *("gateway", "planner", "scheduler"),
    *("projector", "projector-2"),
    *("executor", "executor", "executor-lacking"),
)
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}


@dataclass(frozen=True)
class Fault:
    """One thing that is done to one process."""

    after_s: float
    """Since the fault before."""
    victim: str
    kind: str
    for_s: float = 0.0
    """How long a stopped process stands still."""

    def __str__(self) -> str:
        return f"{self.kind} {'nats' if self.victim == NATS else 'service'}"


def plan(seed: int, seconds: float) -> list[Fault]:
    """The faults of one seed, for about so many seconds."""
    chance = random.Random(seed)
    choices = [(victim, kind, weight) for kind, weight in KINDS.items() for victim in ("service",)]
    choices += [(NATS, kind, weight) for kind, weight in NATS_KINDS.items()]
    faults, at = [], 0.0
    while at < seconds:
        pause = chance.uniform(*PAUSE_S)
        ((victim, kind, _),) = chance.choices(choices, [weight for *_, weight in choices])
        name = victim if victim == NATS else chance.choice(VICTIMS)
        lasts = chance.uniform(*(STALL_S if victim == NATS else STOP_S)) if kind == "stop" else 0.0
        faults.append(Fault(pause, name, kind, lasts))
        at += pause
    return faults


async def carry_out(world: World, faults: list[Fault]) -> Counter[str]:
    """Do them all; what was done, by kind. Nothing stands still any more when this returns."""
    done: Counter[str] = Counter()
    going_on: set[asyncio.Task[None]] = set()
    for fault in faults:
        await asyncio.sleep(fault.after_s)
        pid = world.processes().get(fault.victim)
        if pid is None:
            done["nobody there"] += 1
            continue
        done[str(fault)] += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGNALS[fault.kind])
        if fault.kind == "stop":
            going_on.add(asyncio.create_task(_continue(pid, fault.for_s)))
    await asyncio.gather(*going_on)
    return done


async def _continue(pid: int, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
