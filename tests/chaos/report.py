"""What a seed came to, as a line of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

KINDS = ("kill service", "term service", "stop service", "kill nats", "stop nats")
OF_CLUSTERS = ("cut nats",)


@dataclass
class Report:
    """One seed."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    commits: int = 0
    batches: int = 0
    """Atomic batches of commits."""
    blobs: int = 0
    effects: int = 0
    streams: int = 0
    """Executions that a client watched."""
    webhooks: int = 0
    violations: list[str] = field(default_factory=list)

    def row(self, kinds: Sequence[str]) -> str:
        """A line of `table`."""
        counts = [self.faults[kind] for kind in kinds]
        numbers = [
            self.seed,
            *counts,
            self.runs,
            self.commits,
            self.batches,
            self.blobs,
            self.effects,
            self.streams,
            self.webhooks,
            len(self.violations),
        ]
        return "| " + " | ".join(str(number) for number in numbers) + " |"


def table(reports: list[Report]) -> str:
    """All seeds, in Markdown."""
    kinds = [*KINDS, *(kind for kind in OF_CLUSTERS if any(one.faults[kind] for one in reports))]
    heads = [
        "seed",
        *kinds,
        "runs",
        "commits",
        "batches",
        "blobs",
        "effects",
        "streams",
        "webhooks",
        "violations",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(one.row(kinds) for one in reports)])
