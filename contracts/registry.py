"""Every aggregate there is, and the codec that reads and writes their commits."""

from __future__ import annotations

from contracts.agent import AGENT
from contracts.commit import Codec
from contracts.dag import DAG
from contracts.run import RUN
from contracts.schedule import SCHEDULE
from contracts.upcasts import UPCASTS

AGGREGATES = (AGENT, DAG, RUN, SCHEDULE)
CODEC = Codec(AGGREGATES, UPCASTS)
