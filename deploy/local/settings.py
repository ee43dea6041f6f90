"""How `async-agent up` runs a system where its options do not say: from the environment and `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.nats_server import Durability
from deploy.local.system import Options

NATS_PORT = 4222
"""Where NATS tools look first."""


class LocalSettings(BaseSettings):
    """The same names as the services use, with what suits one machine."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    data_dir: Path = Path("data")
    artifacts_dir: Path = Path("artifacts")
    nats_url: str | None = None
    durability: Durability = Durability.FSYNC
    executors: int = Field(default=1, ge=1, le=64)


def local_settings(**given: Any) -> LocalSettings:
    """The settings as given; those given as None, or not at all, as they are set elsewhere.

    Raises:
        ValidationError: one is not valid.
    """
    return LocalSettings(**{name: value for name, value in given.items() if value is not None})


def options_of(settings: LocalSettings) -> Options:
    """How `up` runs a system."""
    return Options(
        data=settings.data_dir,
        port=settings.port,
        host=settings.host,
        nats_url=settings.nats_url,
        nats_port=NATS_PORT,
        durability=settings.durability,
        executors=settings.executors,
    )
