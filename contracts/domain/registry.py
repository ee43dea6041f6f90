"""All aggregates, and the codec that reads and writes their commits."""

from __future__ import annotations

from typing import Any

from contracts.core.aggregate import Aggregate
from contracts.core.codec import Codec
from contracts.core.upcasts import UPCASTS
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.key import KEY
from contracts.domain.memory import MEMORY
from contracts.domain.run import RUN
from contracts.domain.schedule.ticks import SCHEDULE
from contracts.domain.shared_budget import BUDGET
from contracts.domain.task import TASK
from contracts.domain.webhook import WEBHOOK
from contracts.domain.writers import WRITERS

AGGREGATES: tuple[Aggregate[Any], ...] = (AGENT, BUDGET, DAG, GOAL, KEY, MEMORY, RUN, SCHEDULE, TASK, WEBHOOK)
CODEC = Codec(AGGREGATES, UPCASTS, WRITERS)
