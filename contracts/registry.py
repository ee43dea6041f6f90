"""Every aggregate there is, and the codec that reads and writes their commits."""

from __future__ import annotations

from typing import Any

from contracts.agent import AGENT
from contracts.aggregate import Aggregate
from contracts.commit import Codec
from contracts.dag import DAG
from contracts.goal import GOAL
from contracts.memory import MEMORY
from contracts.run import RUN
from contracts.schedule import SCHEDULE
from contracts.task import TASK
from contracts.upcasts import UPCASTS
from contracts.webhook import WEBHOOK

AGGREGATES: tuple[Aggregate[Any], ...] = (AGENT, DAG, GOAL, MEMORY, RUN, SCHEDULE, TASK, WEBHOOK)
CODEC = Codec(AGGREGATES, UPCASTS)
