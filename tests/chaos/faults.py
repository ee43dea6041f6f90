"""What is done to the processes: a plan made of a seed, and carried out by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
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
CUT = "cut"
"""A server is cut off from the others of its cluster."""
CUT_WEIGHT = 12
CUT_S = (1.0, 12.0)
"""How long: longer than an election of another leader takes, at times."""
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
    """How long a stopped process stands still, or a server is cut off."""

    @property
    def is_of_nats(self) -> bool:
        return self.victim.startswith(NATS)

    def __str__(self) -> str:
        return f"{self.kind} {'nats' if self.is_of_nats else 'service'}"


def plan(seed: int, seconds: float, servers: Sequence[str] = (NATS,)) -> list[Fault]:
    """The faults of one seed, for about so many seconds. `servers` are the names of the nats-servers."""
    chance, members = random.Random(seed), random.Random(seed)
    choices = [(victim, kind, weight) for kind, weight in KINDS.items() for victim in ("service",)]
    choices += [(NATS, kind, weight) for kind, weight in NATS_KINDS.items()]
    if len(servers) > 1:
        choices.append((NATS, CUT, CUT_WEIGHT))
    faults, at = [], 0.0
    while at < seconds:
        pause = chance.uniform(*PAUSE_S)
        ((victim, kind, _),) = chance.choices(choices, [weight for *_, weight in choices])
        name = members.choice(servers) if victim == NATS else chance.choice(VICTIMS)
        lasting = {"stop": STALL_S if victim == NATS else STOP_S, CUT: CUT_S}.get(kind)
        faults.append(Fault(pause, name, kind, chance.uniform(*lasting) if lasting else 0.0))
        at += pause
    return faults


async def carry_out(world: World, faults: list[Fault]) -> Counter[str]:
    """Do them all; what was done, by kind. Nothing stands still any more when this returns.

    Of a cluster, one server at a time: the next fault of another one waits until it answers again.
    """
    done: Counter[str] = Counter()
    going_on: set[asyncio.Task[None]] = set()
    of_cluster: asyncio.Task[None] | None = None
    for fault in faults:
        await asyncio.sleep(fault.after_s)
        if fault.is_of_nats and of_cluster:
            await of_cluster
        pid = world.processes().get(fault.victim)
        if pid is None:
            done["nobody there"] += 1
            continue
        done[str(fault)] += 1
        doing = asyncio.create_task(_do(world, fault, pid))
        going_on.add(doing)
        if fault.is_of_nats and world.cluster:
            of_cluster = doing
    await asyncio.gather(*going_on)
    return done


async def _do(world: World, fault: Fault, pid: int) -> None:
    """Do one, and wait until it is over."""
    if fault.kind == CUT:
        assert world.cluster
        await world.cluster.cut_off(fault.victim, fault.for_s)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, SIGNALS[fault.kind])
    if fault.kind == "stop":
        await _continue(pid, fault.for_s)
    if world.cluster and fault.is_of_nats:
        await world.cluster.members[fault.victim].answers()


async def _continue(pid: int, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
