"""How `async-agent up` runs a system where its options do not say: from the environment and `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.runtime.process.settings import require_apart
from deploy.local.nats_server import Durability
from deploy.local.system import Options

Port = Annotated[int | None, Field(ge=0, le=65535)]
"""None is the port of the last start, or the default."""


class LocalSettings(BaseSettings):
    """The same names as the services use, with what suits one machine."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: Port = None
    nats_port: Port = None
    metrics_port: Port = None
    data_dir: Path = Path("data")
    artifacts_dir: Path | None = None
    """By default in `data_dir`."""
    nats_url: str | None = None
    durability: Durability = Durability.FSYNC
    executors: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _artifacts_are_apart(self) -> LocalSettings:
        require_apart(self.artifacts, self.data_dir)
        return self

    @property
    def artifacts(self) -> Path:
        """Where steps read and write files."""
        return self.artifacts_dir or self.data_dir / "artifacts"


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
        nats_port=settings.nats_port,
        metrics_port=settings.metrics_port,
        durability=settings.durability,
        executors=settings.executors,
        env={"ARTIFACTS_DIR": str(settings.artifacts.absolute())},
    )
