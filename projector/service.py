"""The projector as a service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.core import subjects
from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running, Service
from contracts.runtime.process.settings import ViewsSettings
from projector.projector import Projector


@asynccontextmanager
async def build(settings: ViewsSettings) -> AsyncGenerator[Running]:
    """Start a projector with the NATS server and views file in `settings`."""
    async with nats_log(settings, CODEC, name="projector") as source:

        async def announce(seq: int) -> None:
            await source.connection.publish_ephemeral(subjects.PROJECTED, str(seq).encode())

        projector = Projector(source, settings.views_file, announce)

        yield Running(
            [projector.run, source.connection.watch], {"nats": source.problem, "views": projector.not_ready}
        )


SERVICE = Service("projector", ViewsSettings, build)
