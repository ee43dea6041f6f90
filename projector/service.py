"""What the projector is made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.core import subjects
from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running, Service
from contracts.runtime.process.settings import ViewsSettings
from projector.projector import Projector

MAX_LAG = 10_000
"""Commits behind the log from which on the projector calls itself not ready."""


@asynccontextmanager
async def build(settings: ViewsSettings) -> AsyncGenerator[Running]:
    """One projector on the settings' NATS and views file."""
    async with nats_log(settings, CODEC, name="projector") as source:

        async def announce(seq: int) -> None:
            await source.connection.publish_ephemeral(subjects.PROJECTED, str(seq).encode())

        projector = Projector(source, settings.views_file, announce)

        async def lag() -> str | None:
            behind = await projector.lag()
            return f"{behind} commits behind the log" if behind > MAX_LAG else None

        yield Running([projector.run, source.connection.watch], {"nats": source.problem, "lag": lag})


SERVICE = Service("projector", ViewsSettings, build)
